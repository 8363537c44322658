"""What vLLM (0.6 to 0.32) says of single settings, and which field of the spec they come from.

Each entry is looked for in the text as one line; what is special comes before what may be its consequence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pointsman.engines.saying import say

if TYPE_CHECKING:
    from collections.abc import Mapping

_ENGINE: Final = "spec.deploy.engine"
# vLLM's name of a setting -> the path that the operator takes it from; others come from extraArgs.
FIELDS: Final[Mapping[str, str]] = {
    "max_model_len": f"{_ENGINE}.maxModelLen",
    "dtype": f"{_ENGINE}.dtype",
    "quantization": f"{_ENGINE}.quantization",
    "cache_dtype": f"{_ENGINE}.kvCacheDtype",
    "kv_cache_dtype": f"{_ENGINE}.kvCacheDtype",
    "gpu_memory_utilization": f"{_ENGINE}.gpuMemoryUtilization",
    "max_num_seqs": f"{_ENGINE}.maxNumSeqs",
    "enable_prefix_caching": f"{_ENGINE}.enablePrefixCaching",
    "tool_call_parser": f"{_ENGINE}.toolCallParser",
    "reasoning_parser": f"{_ENGINE}.reasoningParser",
    "load_format": f"{_ENGINE}.loadFormat",
    "max_loras": f"{_ENGINE}.maxLoras",
    "max_lora_rank": f"{_ENGINE}.maxLoraRank",
    "revision": "spec.deploy.model.revision",
    "tensor_parallel_size": "spec.deploy.parallelism.tensor",
    "pipeline_parallel_size": "spec.deploy.parallelism.pipeline",
    "data_parallel_size": "spec.deploy.parallelism.data",
}


def path(setting: str) -> str:
    """Where the spec has it; vLLM's own name where only extraArgs can."""
    return FIELDS.get(setting, setting)


SETTINGS: Final = (
    say(
        "InvalidArguments",
        r"invalid tool call parser: (?P<asked>\S{1,80})(?: \(chose from \{ ?(?P<of>[^}]{1,300}(?=[, }])))?",
        f"{_ENGINE}.toolCallParser: this vLLM has no {{asked}}, it has {{of}}",
    ),
    say(
        "InvalidArguments",
        r"Tool parser '(?P<asked>[^']{1,80})' not found(?:\. Available(?: tool)? parsers: (?P<of>[^\n]{1,300}))?",
        f"{_ENGINE}.toolCallParser: this vLLM has no {{asked}}, it has {{of}}",
    ),
    say(
        "InvalidArguments",
        r"--enable-auto-tool-choice requires --tool-call-parser",
        f"{_ENGINE}.toolCallParser is not set, and extraArgs have --enable-auto-tool-choice, which needs it",
    ),
    say(
        "InvalidArguments",
        r"invalid reasoning parser: (?P<asked>\S{1,80})(?: \(chose from \{ ?(?P<of>[^}]{1,300}(?=[, }])))?",
        f"{_ENGINE}.reasoningParser: this vLLM has no {{asked}}, it has {{of}}",
    ),
    say(
        "InvalidArguments",
        r"Reasoning parser '(?P<asked>[^']{1,80})' not found(?:\. Available parsers: (?P<of>[^\n\"]{1,300}))?",
        f"{_ENGINE}.reasoningParser: this vLLM has no {{asked}}, it has {{of}}",
    ),
    say(
        "InvalidArguments",
        r"chat template string \((?P<asked>[^)]{1,200})\) appears path-like, but doesn't exist",
        f"the chat template {{asked}} is not in the container: use {_ENGINE}.chatTemplateRef",
    ),
    say(
        "InvalidArguments",
        r"the supplied chat template path doesn't exist",
        f"the chat template is not in the container: use {_ENGINE}.chatTemplateRef",
    ),
    say(
        "InvalidArguments",
        r"(?:Type|Value)Error: (?:Error: )?(?P<what>--[a-z][^\n]{10,200})",
        "vLLM refuses an argument: {what}",
    ),
    say(
        "InvalidArguments",
        r"max_num_batched_tokens \((?P<have>\d+)\) (?:is smaller than|must be greater than or equal to) "
        r"(?P<other>max_model_len|max_num_seqs) \((?P<want>\d+)\)",
        "--max-num-batched-tokens {have} in extraArgs is less than {other} {want}: raise it, or leave it out",
    ),
    say(
        "InvalidArguments",
        r"Load format `?(?P<asked>[^\s`]{1,60})`? is not supported",
        f"{_ENGINE}.loadFormat: this vLLM has no {{asked}}",
    ),
    say(
        "InvalidArguments",
        r"(?P<what>Unknown attention backend: [^.]{1,80}|Invalid value '[^']{0,80}' (?:for|in) [A-Z]\w{1,60}"
        r"|Invalid data-parallel launch options: [^\n]{1,200}|[\w.-]{2,80} and \S{2,80} are mutually exclusive"
        r"|Unexpected extra config keys for [^\n]{1,120}"
        r"|VLLM_ALLOW_RUNTIME_LORA_UPDATING cannot be used with api_server_count > 1)",
        "vLLM refuses its settings: {what}",
    ),
    say(
        "StartupTimeout",
        r"Timed out waiting for (?:new )?engine (?:core )?processes to start[^\n]{0,120}?Waited (?P<wait>[\d.]+) ?s",
        f"vLLM waited {{wait}} s for its own engine: raise VLLM_ENGINE_READY_TIMEOUT_S in {_ENGINE}.env too",
    ),
    say(
        "StartupTimeout",
        r"Timed out waiting for (?:new )?engine (?:core )?processes|Did not receive response from front-end process",
        "vLLM's own processes waited for one another too long",
    ),
    say(
        "NoAttentionBackend",
        r"No valid (?:MLA )?(?:prefill )?attention backend found for (?P<gpu>.{1,60}?) with .{0,800}?Reasons: "
        r"(?P<why>.{1,240})",
        "no kernel for attention fits this model on {gpu}: {why}",
    ),
    say(
        "NoAttentionBackend",
        r"Selected backend (?P<asked>\S{1,80}) is not valid for this configuration\. Reason: (?P<why>.{1,240})",
        "the attention backend {asked} does not fit: {why}",
    ),
    say(
        "NoAttentionBackend",
        r"(?P<what>No valid (?:CPU )?(?:MLA |attention )[\w ]{0,20}backend found[^.]{0,120})",
        "no kernel for attention fits: {what}",
    ),
)

PACKAGES: Final = (
    say(
        "PackageMissing",
        r"^(?:\w+\.){0,4}(?:ModuleNotFoundError|ImportError): (?:\w+Error: )?No module named '?(?P<what>[\w.-]{1,80})",
        "the image has no Python package {what}",
    ),
    say(
        "PackageMissing",
        r"^(?:\w+\.){0,4}(?:ModuleNotFoundError|ImportError|RuntimeError|ValueError): [^`]{0,200}?"
        r"(?P<what>\binstall [^`]{0,80}`pip install [^`]{1,80}`)",
        "the image lacks a Python package: {what}",
    ),
    say(
        "PackageMissing",
        r"requires the following packages that were not found in your environment: (?P<what>[\w., -]{1,120}?)\. Run",
        "the model's own code needs Python packages that the image lacks: {what}",
    ),
    say(
        "PackageMissing",
        r"^(?:\w+\.){0,4}ImportError: (?P<what>\S{1,120}\.so[\d.]{0,12}): (?:cannot open shared|undefined symbol)",
        "the image lacks a library, or has another version of it: {what}",
    ),
    say(
        "PackageMissing",
        r"Could not find (?P<tool>nvcc)\b|Failed to find (?P<compiler>C compiler)"
        r"|No such file or directory: '(?P<other>ninja|nvcc|ptxas|gcc|g\+\+)'",
        "the image has no {tool}{compiler}{other}, which vLLM needs to compile a kernel",
    ),
)

# Whatever else vLLM's own checks of its configuration refuse.
REFUSED: Final = (
    say(
        "InvalidArguments",
        r"validation errors? for \w{1,40}(?:Config|Args) +(?P<field>[A-Za-z_][\w.]{0,60}) +"
        r"(?!Value error)(?P<what>[A-Z].{1,200}?) \[type=\w{1,40}(?:, input_value=(?P<value>[^,\]]{1,60}))?",
        "vLLM refuses {field} {value}: {what}",
    ),
    say(
        "InvalidArguments",
        r"validation errors? for \w{1,40}Config +(?:(?P<field>[a-z_][\w.]{0,60}) +)?(?:Value|Assertion) error, "
        r"(?P<what>.{1,300}?)(?: \[type=|$)",
        "vLLM refuses its settings: {field} {what}",
    ),
)
