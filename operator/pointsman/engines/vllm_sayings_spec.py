"""What vLLM (0.6 to 0.32) and Transformers say of settings and models that they cannot run.

Each entry is looked for in the text as one line; what is special comes before what may be its consequence.
"""

from __future__ import annotations

from typing import Final

from pointsman.engines.saying import say

SPEC: Final = (
    say(
        "InvalidArguments",
        r"unrecognized arguments: (?P<flag>\S[^\n]{0,120}?)(?: Hint:|$| \()",
        "this vLLM does not know {flag}",
    ),
    say(
        "InvalidArguments",
        r"error: (?P<what>(?:argument \S{1,80}: |the following arguments are required: "
        r"|ambiguous option: )[^\n]{1,160})",
        "vLLM refuses an argument: {what}",
    ),
    say(
        "MaxModelLenTooLarge",
        r"max_model_len \((?P<asked>\d+)\) is greater than the derived max_model_len \([a-z_]*=?(?P<own>\d+)",
        "engine.maxModelLen {asked} is more than the {own} tokens that the model was made for",
    ),
    say(
        "ParallelismMismatch",
        r"Total number of attention heads \((?P<heads>\d+)\) must be divisible by tensor parallel size "
        r"\((?P<size>\d+)\)",
        "the model's {heads} attention heads cannot be spread evenly over {size} GPUs",
    ),
    say(
        "ParallelismMismatch",
        r"(?P<what>\S{1,40} (?:is not|must be) divisible by (?:the )?(?:tensor[ _]parallel[ _]size|tp_size"
        r"|world size)[^.]{0,60})",
        "the model cannot be spread over that many GPUs: {what}",
    ),
    say(
        "ParallelismMismatch",
        r"(?P<what>(?:World size|world_size) \(?\d+\)? is larger than the number of available GPUs[^.]{0,80}"
        r"|Ray does not allocate any GPUs[^.]{0,60}|device_count[^.]{0,40}less than[^.]{0,60}|invalid device ordinal)",
        "more GPUs are to be used than the container has: {what}",
    ),
    say(
        "RemoteCodeNeeded",
        r"requires you to execute|contains custom code which must be executed|(?:consider setting|set the option"
        r"|pass the "
        r"argument) `trust_remote_code=True`",
        "the model brings Python code of its own, which vLLM does not run unless told to",
    ),
    say(
        "UnsupportedModel",
        r"Model architectures? \[?'?(?P<arch>[\w', ]{1,80}?)'?\]? (?P<why>(?:are|is) not supported"
        r"|failed to be inspected"
        r"|was supported in vLLM until)",
        "this vLLM cannot run the architecture {arch}",
    ),
    say(
        "UnsupportedModel",
        r"has model type `(?P<arch>[\w.-]{1,60})` but Transformers does not recognize",
        "this image's Transformers does not know the model type {arch}",
    ),
    say(
        "UnsupportedModel",
        r"(?P<what>No supported config format found[^.]{0,80}|Cannot find model module[^.]{0,80}"
        r"|No model architectures are "
        r"specified|Invalid repository ID or local directory specified[^.]{0,80})",
        "this is no model that vLLM can run: {what}",
    ),
    say(
        "UnsupportedDtype",
        r"Bfloat16 is only supported on GPUs with compute capability of at least 8\.0\. Your (?P<gpu>.{1,60}?) GPU "
        r"(?:has compute capability (?P<have>[\d.]+\d)|does not)",
        "the GPU ({gpu}, compute capability {have}) has no bfloat16, which needs 8.0",
    ),
    say(
        "UnsupportedDtype",
        r"(?P<what>torch\.\w{1,20} is not supported for quantization method \w{1,30})",
        "{what}",
    ),
    say(
        "UnsupportedQuantization",
        r"quantization method (?P<method>[\w.-]{1,40}) is not supported for the current GPU\. Minimum capability: "
        r"(?P<need>\d+)\. Current capability: (?P<have>\d+)",
        "quantization {method} needs a GPU of compute capability {need} (in tenths), this one has {have}",
    ),
    say(
        "UnsupportedQuantization",
        r"Quantization method specified in the model config \((?P<own>[\w.-]{1,40})\) does not match the "
        r"quantization method specified in the `quantization` argument \((?P<asked>[\w.-]{1,40})\)",
        "the model is quantized with {own}, and engine.quantization asks for {asked}",
    ),
    say(
        "UnsupportedQuantization",
        r"(?P<what>Unknown quantization method: [^.]{1,60}"
        r"|[\w.-]{1,40} quantization is (?:currently )?not supported[^.]{0,60}"
        r"|no kernel image is available for execution on the device)",
        "not for this GPU or this vLLM: {what}",
    ),
    say(
        "AdapterLoadFailed",
        r"LoRA rank (?P<rank>\d+) is greater than max_lora_rank (?P<most>\d+)",
        "an adapter has rank {rank}, and engine.maxLoraRank is {most}",
    ),
    say(
        "AdapterLoadFailed",
        r"(?P<what>Loading lora [^.]{1,80} failed|No adapter found for [^.]{1,120}"
        r"|[\w.]{1,120} is unsupported LoRA weight"
        r"|[\w]{1,60} does not support LoRA[^.]{0,40}|adapter_config\.json)",
        "an adapter could not be loaded: {what}",
    ),
)
