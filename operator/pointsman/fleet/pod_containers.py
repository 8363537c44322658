"""What a Pod's containers say of themselves, as kubelet writes it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pointsman.engines import vllm_words
from pointsman.engines.vllm_words import clip
from pointsman.fleet.pod_scheduling import Kept
from pointsman.fleet.pod_times import between, condition, since

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Json = dict[str, Any]

ENGINE: Final = "vllm"  # the container's name
_PULL: Final = frozenset(
    {"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
    | {"RegistryUnavailable", "SignatureValidationFailed"}
)
_MAKING: Final = frozenset({"ContainerCreating", "PodInitializing"})
_SETTLED: Final = 2.0  # seconds after a container's start in which no engine is ready, and kubelet's clock may round
_NOTHING: Final = vllm_words.Words("", "")
_KILLED: Final = frozenset({0, 137, 143})  # by a signal, SIGKILL or SIGTERM; vLLM may end well on the latter
_IMAGE: Final = (
    (r"couldn't parse|invalid reference|Invalid ?Image ?Name", "this is no image's name"),
    (r"toomanyrequests|429 Too Many|rate limit", "the registry's limit on pulls is reached"),
    (
        r"unauthorized|authentication required|authorization failed|40[13] |denied|no basic auth",
        "the registry refuses it",
    ),
    (r"not found|manifest unknown|NotFound|does not exist|404 ", "the registry has no such image"),
    (r"no match for platform|exec format", "there is no such image for the node's kind of processor"),
    (r"no space left", "the node's disk is full"),
    (
        r"no such host|i/o timeout|connection refused|x509|TLS|unavailable|deadline|dial tcp|EOF",
        "the registry cannot be reached",
    ),
    (r"present with pull policy of Never", "the node does not have it, and may not pull it"),
)
_QUOTED: Final = re.compile(r"image \\?\"([^\"\\]{1,300})")
_CONFIG: Final = (
    (
        "SecretNotFound",
        re.compile(r"secret \"?(?P<name>[\w.-]+)\"? not found", re.IGNORECASE),
        "the Secret {name} is not there",
    ),
    (
        "SecretKeyNotFound",
        re.compile(r"couldn't find key (?P<key>[\w.-]+) in Secret [\w.-]+/(?P<name>[\w.-]+)"),
        "the Secret {name} has no key {key}",
    ),
    (
        "ConfigMapNotFound",
        re.compile(r"configmap \"?(?P<name>[\w.-]+)\"? not found", re.IGNORECASE),
        "the ConfigMap {name} is not there",
    ),
    (
        "ConfigMapNotFound",
        re.compile(r"couldn't find key (?P<key>[\w.-]+) in ConfigMap [\w.-]+/(?P<name>[\w.-]+)"),
        "the ConfigMap {name} has no key {key}",
    ),
)


def said(pod: Json, startup_seconds: float, logs: Mapping[str, str]) -> Kept | None:
    """What the first container that is in the way says, init containers first; None: all are ready.

    `logs` are the ends of logs by container name, where a termination message was too short for the cause.
    """
    for status, init in _statuses(pod):
        if _over(status, init=init):
            continue
        if kept := _of_container(status, pod, startup_seconds, logs):
            name = str(status.get("name", ""))
            whose = "" if name == ENGINE else f"the {'init ' * init}container {clip(name, 64)}: "
            return Kept(kept.reason, whose + kept.message)
    return None


def fits(pod: Json, log: str = "") -> int:
    """Tokens that vLLM says would fit, in its last words or its log; 0: it says none."""
    texts = [str(_end(status)[0].get("message") or "") for status, _ in _statuses(pod)]
    return max(words.suggested_max_model_len for text in (*texts, log) if (words := vllm_words.read(text) or _NOTHING))


def unclear(pod: Json) -> tuple[str, bool, int] | None:
    """The container whose log is worth reading, whether it is the previous one's, and its restarts; None: none is."""
    for status, _ in _statuses(pod):
        ended, previous = _end(status)
        word = vllm_words.read(str(ended.get("message") or "")) if ended else None
        if ended and ended.get("exitCode") and (word is None or word.vague or word.reason == vllm_words.UNCLEAR):
            return str(status.get("name", "")), previous, int(status.get("restartCount") or 0)
    return None


def main(pod: Json) -> Json:
    """The status of the engine's container; {}: there is none yet."""
    statuses: list[Json] = list((pod.get("status") or {}).get("containerStatuses") or ())
    return next((each for each in statuses if each.get("name") == ENGINE), statuses[0] if statuses else {})


def _statuses(pod: Json) -> Iterator[tuple[Json, bool]]:
    status = pod.get("status") or {}
    yield from ((each, True) for each in status.get("initContainerStatuses") or ())
    yield from ((each, False) for each in status.get("containerStatuses") or ())


def _end(status: Json) -> tuple[Json, bool]:
    """How a container ended last, and whether another one runs or waits since; {}: it never did."""
    now = (status.get("state") or {}).get("terminated") or {}
    return (now, False) if now else ((status.get("lastState") or {}).get("terminated") or {}, True)


def _of_container(status: Json, pod: Json, startup_seconds: float, logs: Mapping[str, str]) -> Kept | None:
    waiting: Json = (status.get("state") or {}).get("waiting") or {}
    reason, message = str(waiting.get("reason", "")), str(waiting.get("message") or "")
    if reason in _PULL:
        return Kept("ImagePullFailed", _image(status, reason, message))
    if reason == "CreateContainerConfigError":
        return _configured(message)
    if reason in {"CreateContainerError", "RunContainerError", "PostStartHookError", "PreStartHookError"}:
        return Kept("RunContainerError", f"the container cannot be started: {clip(message, 300)}")
    if _unready(status, pod):
        return Kept("ReadinessProbeFailed", "the engine was ready, and does not answer /health any more")
    if ended := _end(status)[0]:
        return _fell(ended, status, pod, startup_seconds, logs.get(str(status.get("name", "")), ""))
    return _on_its_way(status, reason, pod)


def _over(status: Json, *, init: bool) -> bool:
    """Whether a container is as it shall be: ready, or an init container that has ended well."""
    ended: Json = (status.get("state") or {}).get("terminated") or {}
    return bool(status.get("ready")) or (init and ended.get("exitCode") == 0)


def _unready(status: Json, pod: Json) -> bool:
    """Whether it was ready in this run: before it ever was, the condition is older than the run."""
    running: Json = (status.get("state") or {}).get("running") or {}
    return bool(running) and since(condition(pod, "Ready")) > since(running) + _SETTLED


def _on_its_way(status: Json, reason: str, pod: Json) -> Kept | None:
    if (status.get("state") or {}).get("running"):
        return Kept("ModelLoading", "the container runs, and the engine loads its model")
    if reason == "PodInitializing":
        return Kept("ContainerCreating", "its init containers run first")
    if condition(pod, "PodReadyToStartContainers").get("status") == "True":
        return Kept("ContainerCreating", f"its image is being pulled: {clip(str(status.get('image', '')), 200)}")
    return Kept("ContainerCreating", "its volumes and its network are being set up") if reason in _MAKING else None


def _image(status: Json, reason: str, message: str) -> str:
    quoted = _QUOTED.search(message)
    image = clip(quoted[1] if quoted else str(status.get("image") or ""), 200)
    why = next((words for pattern, words in _IMAGE if re.search(pattern, f"{message} {reason}")), clip(message, 200))
    return f"the image {image} cannot be pulled: {why or reason}"


def _configured(message: str) -> Kept:
    for reason, pattern, words in _CONFIG:
        if found := pattern.search(message[:2000]):
            return Kept(reason, words.format(**{name: clip(text, 253) for name, text in found.groupdict().items()}))
    return Kept("ContainerConfigError", clip(message, 300) or "kubelet cannot make the container's configuration")


def _fell(ended: Json, status: Json, pod: Json, startup_seconds: float, log: str) -> Kept:
    """Why a container ended: by the kernel, by kubelet, or of its own, with its last words."""
    lasted = between(since(ended, "startedAt"), since(ended, "finishedAt"))
    if ended.get("reason") == "OOMKilled":
        return Kept(
            "OOMKilled", f"the kernel killed the container: it used more than its memory limit{_limit(pod, status)}"
        )
    words = vllm_words.read(str(ended.get("message") or ""))
    if log and (words is None or words.vague or words.reason in {vllm_words.UNCLEAR, "CrashLoopBackOff"}):
        words = vllm_words.read(log) or words
    certain = words is not None and words.reason not in {vllm_words.UNCLEAR, "CrashLoopBackOff"}
    if ended.get("exitCode") in _KILLED and not certain:
        return _killed(ended, pod, lasted, startup_seconds)
    if words is None:
        return Kept("CrashLoopBackOff", f"the container ended with exit code {ended.get('exitCode')} and said nothing")
    if words.reason == vllm_words.UNCLEAR:
        return Kept(words.reason, "vLLM ended while it started, and says in its log why")
    return Kept(words.reason, words.message)


def _killed(ended: Json, pod: Json, lasted: float | None, startup_seconds: float) -> Kept:
    code, ready = ended.get("exitCode"), since(condition(pod, "Ready"))
    if ready > since(ended, "startedAt") + _SETTLED > _SETTLED:
        return Kept("EngineStalled", "the engine was ready, then did not answer /health, and kubelet restarted it")
    if lasted is not None and lasted >= 0.9 * startup_seconds:
        return Kept("StartupTimeout", f"the engine was not ready in {startup_seconds:.0f} s, and kubelet restarted it")
    after = f" after {lasted:.0f} s" if lasted is not None else ""
    return Kept("CrashLoopBackOff", f"the container was stopped from outside{after} (exit code {code})")


def _limit(pod: Json, status: Json) -> str:
    containers = (pod.get("spec") or {}).get("containers") or ()
    of: Json = next((each for each in containers if each.get("name") == status.get("name")), {})
    limit = ((of.get("resources") or {}).get("limits") or {}).get("memory")
    return f" of {clip(str(limit), 32)}" if limit else ""
