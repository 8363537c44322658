"""What may not stand in `engine`: what the operator sets, what is stated twice, and what vLLM cannot read.

argparse takes underscores for dashes in vLLM, any unambiguous beginning of a flag for the flag, `--flag.key` for a part
of a JSON value, and `-n2` for `-n 2`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pointsman.engines import vllm_args, vllm_parallelism, vllm_sources
from pointsman.engines.vllm_layout import told, version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pointsman.api.deploy import Deploy, Engine

_ENGINE: Final = "spec.deploy.engine"
_ARGS: Final = "spec.deploy.engine.extraArgs"
_ENV: Final = "spec.deploy.engine.env"

# Flag -> what to use instead; "" where there is nothing: it would take the server away from its Service, its probes,
# its name or its cache, or end it at once.
_OWNED: Final[Mapping[str, str]] = {
    **dict.fromkeys(("--host", "--port", "--uds", "--grpc", "--grpc-port", "--root-path", "--headless"), ""),
    **dict.fromkeys(("--ssl-keyfile", "--ssl-certfile", "--ssl-ca-certs", "--ssl-cert-reqs", "--ssl-ciphers"), ""),
    **dict.fromkeys(("--enable-ssl-refresh", "--config", "--download-dir", "--tokens-only", "--help"), ""),
    "--model": "spec.deploy.model.source",
    "--served-model-name": "spec.deploy.model.servedNames",
    "--revision": "spec.deploy.model.revision",
    "--hf-token": "spec.deploy.model.tokenSecretRef",
    "--api-key": "spec.deploy.apiKeyRef",
    "--enable-lora": "spec.deploy.model.adapters",
    "--lora-modules": "spec.deploy.model.adapters",
    "--shutdown-timeout": "spec.deploy.terminationGracePeriod",
    "--tensor-parallel-size": "spec.deploy.parallelism.tensor",
    "--pipeline-parallel-size": "spec.deploy.parallelism.pipeline",
    **dict.fromkeys(("--nnodes", "--node-rank", "--master-addr", "--master-port"), "spec.deploy.parallelism.nodes"),
    **dict.fromkeys(
        (
            *("--data-parallel-size", "--data-parallel-size-local", "--data-parallel-rank", "--data-parallel-address"),
            *("--data-parallel-start-rank", "--data-parallel-rpc-port", "--data-parallel-backend"),
            *("--data-parallel-hybrid-lb", "--data-parallel-external-lb", "--data-parallel-multi-port-external-lb"),
            *("--data-parallel-supervisor-port", "--prefill-context-parallel-size"),
        ),
        "spec.deploy.parallelism",
    ),
}
# argparse reads the beginning of a short flag as the flag too; of those with one letter, the rest is the value.
_OWNED_SHORT: Final = (
    *("-tp", "-pp", "-pcp", "-dp", "-dpn", "-dpr", "-dpl", "-dpa", "-dpp", "-dpb", "-dph", "-dpe", "-dpm"),
    *("-n", "-r", "-h"),
)
_ALIASES: Final = {"-q": "--quantization", "--device-memory-utilization": "--gpu-memory-utilization"}
_ONLY_ONE_NODE: Final = ("--distributed-executor-backend", "--api-server-count", "-asc")

# The first opens endpoints that run code, the second locks the gateway out, the others move the port.
_OWNED_ENV: Final[Mapping[str, str]] = {
    "VLLM_SERVER_DEV_MODE": "",
    "VLLM_API_KEY": "spec.deploy.apiKeyRef",
    "VLLM_PORT": "",
    "VLLM_HOST_IP": "",
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "spec.deploy.model.adapterLoading: AtRuntime",
}
# Where the Job puts what it fetches, and the engine has to look.
# Field -> since when vLLM knows its flag.
_SINCE: Final[Mapping[str, tuple[int, int]]] = {
    "tool_call_parser": (0, 6),
    "reasoning_parser": (0, 7),
}
_DTYPES: Final = ("auto", "half", "float16", "bfloat16", "float", "float32")
_TOKENS: Final = ("quantization", "kv_cache_dtype", "load_format", "tool_call_parser", "reasoning_parser")
_TOKEN = re.compile(r"[A-Za-z0-9_][-\w.+:/]*", re.ASCII)
_DASHES: Final = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"  # as word processors write them
_FETCHED_ENV: Final = ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "VLLM_USE_MODELSCOPE")


def refusals(deploy: Deploy, engine: Engine) -> Iterator[str]:
    """Each names path, word and what to use instead."""
    for word in engine.extra_args or ():
        if not word.strip():
            yield f"{_ARGS}: an empty word is no argument: remove it"
        elif trouble := _misspelt(word):
            yield f"{_ARGS}: {word!r} {trouble}"
        elif flag := owned(word):
            use = _OWNED.get(flag, "spec.deploy.parallelism")
            yield f"{_ARGS}: {flag} is the operator's to set: remove {word!r}" + (f", use {use}" if use else "")
        elif field := _stated_too(word, deploy, engine):
            yield f"{_ARGS}: {word!r} is stated by {field} as well: keep one of them"
    yield from _values(engine)
    yield from _too_new(deploy, engine)
    yield from _environment(deploy, engine)


def _misspelt(word: str) -> str:
    """Why vLLM's parser would take the word for something else, "": it does not."""
    if word[0] in _DASHES or word.lstrip()[0] in _DASHES:
        return "begins with a typographic dash: write --, in plain ASCII"
    if word != word.strip() and not word.strip().startswith(("{", "[")):
        return "begins or ends with space, which would be a part of it: remove it"
    flag, _, value = word.partition("=")
    if flag.startswith("-") and any(each.isspace() for each in flag):
        return "is one word to vLLM, which finds no flag in it: write flag and value as two words, or with ="
    name = flag.partition(".")[0]
    if name.startswith("--") and name != name.lower():
        return f"is no flag of vLLM's, which are lower-case: write {name.lower()}" + (f"={value}" if value else "")
    return ""


def _values(engine: Engine) -> Iterator[str]:
    if engine.dtype and engine.dtype not in _DTYPES:
        yield f"{_ENGINE}.dtype: {engine.dtype!r} is none of vLLM's: write one of {', '.join(_DTYPES)}"
    for field in _TOKENS:
        value = getattr(engine, field)
        if value and not _TOKEN.fullmatch(value):
            yield f"{_ENGINE}.{_camel(field)}: {value!r} is no name of vLLM's: letters, digits and -_.+:/ only"


def _too_new(deploy: Deploy, engine: Engine) -> Iterator[str]:
    have = version(deploy)
    stated = {f"engine.{_camel(field)}": since for field, since in _SINCE.items() if getattr(engine, field)}
    for path, (major, minor) in stated.items():
        if have < (major, minor):
            yield (
                f"spec.deploy.{path}: vLLM has it since {major}.{minor}, {told(deploy)} is older: "
                "take a newer image, or remove it"
            )


def owned(word: str) -> str:
    """The flag of the operator's that vLLM would read in this word, "": none."""
    if word.startswith("-") and not word.startswith("--"):
        return _owned_short(word)
    flag = _flag(word)
    return next((each for each in _OWNED if flag and each.startswith(flag)), "")


def _owned_short(word: str) -> str:
    flag = word.split("=", 1)[0]
    return next((each for each in _OWNED_SHORT if word.startswith(each) or (each.startswith(flag) and flag != "-")), "")


def _flag(word: str) -> str:
    """--a_b=c and --no-a-b.c as --a-b; "" for what is no flag."""
    flag = word.split("=", 1)[0].split(".", 1)[0].replace("_", "-")
    if flag.startswith("--no-"):
        flag = "--" + flag.removeprefix("--no-")
    return flag if flag.startswith("--") and flag != "--" else ""


def _stated_too(word: str, deploy: Deploy, engine: Engine) -> str:
    """The field that states what this word states, "": none."""
    short = next((each for each in _ALIASES if word.split("=", 1)[0] == each or _begins(word, each)), "")
    flag = _ALIASES.get(short) or _flag(word) or word.split("=", 1)[0]
    if not flag.startswith("-") or flag in {"-", "--"}:
        return ""
    if vllm_parallelism.resolve(deploy).nodes > 1 and any(each.startswith(flag) for each in _ONLY_ONE_NODE):
        return "spec.deploy.parallelism.nodes"
    return next((field for stated, field in _typed(deploy, engine).items() if stated.startswith(flag)), "")


def _begins(word: str, alias: str) -> bool:
    return len(alias) == len("-q") and word.startswith(alias)


def _typed(deploy: Deploy, engine: Engine) -> dict[str, str]:
    """Flag -> field of what the object states."""
    out = {flag: f"spec.deploy.engine.{_camel(field)}" for flag, field in vllm_args.typed(engine).items()}
    switches = {
        "--chat-template": (engine.chat_template_ref, "engine.chatTemplateRef"),
        "--enable-prefix-caching": (engine.enable_prefix_caching is not None, "engine.enablePrefixCaching"),
        "--enable-auto-tool-choice": (engine.tool_call_parser, "engine.toolCallParser"),
        "--trust-remote-code": (engine.trust_remote_code, "engine.trustRemoteCode"),
        "--enable-expert-parallel": (vllm_parallelism.resolve(deploy).expert, "parallelism.expert"),
        "-ep": (vllm_parallelism.resolve(deploy).expert, "parallelism.expert"),
        "--api-server-count": (deploy.model.adapter_loading == "AtRuntime", "model.adapterLoading"),
        "-asc": (deploy.model.adapter_loading == "AtRuntime", "model.adapterLoading"),
    }
    return out | {flag: f"spec.deploy.{field}" for flag, (stated, field) in switches.items() if stated}


def _camel(field: str) -> str:
    first, *rest = field.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _environment(deploy: Deploy, engine: Engine) -> Iterator[str]:
    for entry in engine.env or ():
        if entry.name in _OWNED_ENV:
            use = _OWNED_ENV[entry.name]
            yield f"{_ENV}: {entry.name} is the operator's to set: remove it" + (f", use {use}" if use else "")
        if entry.name in _FETCHED_ENV and vllm_sources.fetches(deploy):
            yield f"{_ENV}: {entry.name} says where the prefetched model is: remove it, or set cache.prefetch: false"
        if entry.value and entry.value_from is not None:
            yield f"{_ENV}: {entry.name} has both value and valueFrom: keep one"
