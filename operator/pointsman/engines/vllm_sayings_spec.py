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
        r"(?P<what>\b(?:in|out)put_size[^.]{0,100}? not divisible by [^.]{1,60})",
        "the quantized weights cannot be cut into so many parts: {what}",
    ),
    say(
        "ParallelismMismatch",
        r"AssertionError: (?P<what>\d{1,12} is not divisible by \d{1,12})",
        "the model's layers cannot be spread evenly over that many GPUs: {what}",
    ),
    say(
        "ParallelismMismatch",
        r"Pipeline parallelism is not supported for this model",
        "vLLM cannot spread this model's layers over parallelism.pipeline stages: set it to 1",
    ),
    say(
        "ParallelismMismatch",
        r"(?P<what>(?:World size|world_size) \(?\d+\)? is larger than the number of available GPUs[^.]{0,80}"
        r"|The number of required \w{1,10} exceeds the total number of available \w{1,10}[^.]{0,60}"
        r"|Not enough resources to allocate \d+ (?:DP ranks|placement groups)"
        r"|Cannot provide a placement group[^.]{0,80}|Current node has no \w{1,10} available"
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
        r"(?P<what>No supported config format found[^.]{0,80}|Could not detect config format[^.]{0,80}"
        r"|Cannot find model module[^.]{0,80}|No model architectures are specified"
        r"|This model does not support `--runner generate`|GGUF model with architecture \S{1,60} is not supported"
        r"|The Transformers implementation of \S{1,80} is not compatible with vLLM)",
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
        r"(?P<what>The model type '?[\w.-]{1,60}'? does not support float16[^\n]{0,80}|Unknown dtype: \S{1,40})",
        "{what}",
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
        r"|The quantization method \S{1,40} is deprecated|Cannot find the config file for \S{1,40}"
        r"|Model quantization method is not specified in the config"
        r"|type fp8\w{1,12} not supported in this architecture|Triton Error \[CUDA\]: device kernel image is invalid"
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
        r"|[\w.]{1,120} is unsupported LoRA weight|Adapter bias is not supported|No free (?:lora|adapter) slots"
        r"|vLLM only supports modules_to_save[^.]{0,40}|vLLM does not (?:yet )?support DoRA"
        r"|Number of requested LoRAs \(\d+\) is greater than[^.]{0,60}|Model \S{1,120} is not supported for LoRA"
        r"|[\w]{1,60} does not support LoRA[^.]{0,40}|adapter_config\.json)",
        "an adapter could not be loaded: {what}",
    ),
)
