"""LoRA adapters that come and go while a server runs: what it lists against what the spec wants.

vLLM answers `/v1/load_lora_adapter` only with VLLM_ALLOW_RUNTIME_LORA_UPDATING. Its `load_inplace` is not used: an
adapter that was loaded so is read from the disk again at every step of the engine (seen in 0.32). To unload and load
gives the successor an identity of its own: what is under way ends with the old weights, and no cached prefix is shared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from pointsman import modellist
from pointsman.engines import vllm_container
from pointsman.fleet.conditions import Finding, good, unknown

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pointsman.api.deploy import Deploy
    from pointsman.served import Answer

LOAD: Final = "/v1/load_lora_adapter"
UNLOAD: Final = "/v1/unload_lora_adapter"
_WORDS: Final = 400  # characters of the server's own words
_ABOVE: Final = ", please check the stack trace above for the root cause"

# vLLM's words -> what mends it.
_REMEDIES: Final = (
    ("max_lora_rank", "raise spec.deploy.engine.maxLoraRank"),
    ("expected target modules", "the adapter was made for another model"),
    ("LoRA is not enabled", "the engine was started without LoRA: is its rollout done?"),
)


class Changes(NamedTuple):
    """What to do at one server: first `unload` (names), then `load` (name and path)."""

    load: tuple[tuple[str, str], ...] = ()
    unload: tuple[str, ...] = ()


def wanted(deploy: Deploy) -> dict[str, str] | None:
    """Name -> path as the engine is to look it up; None: adapters are loaded at the start, or not at all."""
    model = deploy.model
    if model.adapter_loading != "AtRuntime":
        return None
    return {each.name: vllm_container.adapter_path(deploy, each) for each in model.adapters or ()}


def listed(answer: Answer) -> dict[str, str] | None:
    """Name -> path of the adapters that a server has, from GET /v1/models: what has a parent. None: it is no list."""
    if modellist.refusal(answer) or not isinstance(modellist.decode(answer.body), dict):
        return None
    return {
        name: str(entry.get("root") or "")
        for entry in modellist.entries(answer)
        if modellist.text(entry.get("parent")) and (name := modellist.identifier(entry))
    }


def changes(wanted: Mapping[str, str], listed: Mapping[str, str], ours: Collection[str] = ()) -> Changes:
    """What brings a server from `listed` to `wanted`. Of what is not wanted only what is in `ours` goes.

    A name whose path is another one is unloaded and loaded anew.
    """
    load = tuple((name, path) for name, path in sorted(wanted.items()) if listed.get(name) != path)
    replaced = {name for name, _ in load if name in listed}
    gone = {name for name in ours if name in listed and name not in wanted}
    return Changes(load, tuple(sorted(replaced | gone)))


def failure(path: str, asked: Mapping[str, str], answer: Answer) -> Finding | None:
    """Why a POST of `asked` to `path` failed, in vLLM's own words; None: it is done, or was done already.

    Its refusals are `{"error": {"message", "type", "code"}}`; FastAPI's, of a path that it does not know, `{"detail"}`.
    """
    if 200 <= answer.status < 300:
        return None
    if answer.status in {0, 401}:
        return _unheard(answer)
    content = modellist.decode(answer.body)
    words = modellist.inside(content, "error", "message")
    if not isinstance(words, str):
        return _without_words(answer, content)
    if path == UNLOAD and answer.status == 404:
        return None
    reason = "AdapterNotFound" if answer.status == 404 else "AdapterLoadFailed"
    # From 0.32 on vLLM says `<path>` in place of a path.
    what = " from ".join(filter(None, (repr(asked["lora_name"]), asked.get("lora_path"))))
    return Finding(reason, f"adapter {what}: {_mended(words, reason)}")


def unlisted(answer: Answer) -> Finding:
    """Why a server's adapters are not known."""
    return _unheard(answer) if answer.status in {0, 401} else Finding("NoModelList", _no_list(answer))


def told(states: Mapping[str, Finding | None], wanted: Collection[str]) -> Finding:
    """One finding for all servers of a provider, by address; None: it is being brought up to date."""
    at, worst = next(((at, each) for at, each in sorted(states.items()) if each and each.status == "False"), ("", None))
    if worst:
        return Finding(worst.reason, f"{at}: {worst.message}")
    pending = sum(each is None for each in states.values())
    if pending or (wanted and not states):
        done = len(states) - pending
        return unknown("AdaptersLoading", f"{done} of {len(states)} servers have the adapters of the spec")
    names = ", ".join(sorted(wanted)) or "none is wanted"
    return good("AdaptersLoaded", f"on every server: {names}" if wanted else names)


def _unheard(answer: Answer) -> Finding:
    if answer.status == 401:
        return Finding("Unauthorized", "the server refused its own key (401): it restarts with the new one")
    return Finding(answer.error or "ConnectionReset", answer.message or "the server did not answer")


def _without_words(answer: Answer, content: object) -> Finding:
    if answer.status == 404 and modellist.inside(content, "detail"):
        off = "the server takes no adapters while it runs: is the rollout to adapterLoading: AtRuntime done?"
        return Finding("AdapterLoadFailed", off)
    return Finding("AdapterLoadFailed", f"the server answered {answer.status}: {modellist.excerpt(answer)}")


def _no_list(answer: Answer) -> str:
    return f"the server answered /v1/models with status {answer.status}: {modellist.excerpt(answer)}"


def _mended(words: str, reason: str) -> str:
    said = " ".join(words.replace(_ABOVE, "").split())[:_WORDS]
    if reason == "AdapterNotFound":
        return f"{said}: mend its source in spec.deploy.model.adapters, or its token"
    remedy = next((remedy for mark, remedy in _REMEDIES if mark in said), "")
    return f"{said}: {remedy}" if remedy else said
