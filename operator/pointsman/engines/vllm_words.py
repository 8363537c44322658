"""What the last words of a container mean, vLLM's or those of the Job that fetches a model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from pointsman.engines import vllm_sayings

if TYPE_CHECKING:
    from collections.abc import Iterator

UNCLEAR: Final = "EngineStartFailed"
"""The reason where vLLM only says that the cause stands further up, where a termination message does not reach."""

_ENOUGH: Final = 65_536  # characters looked at, from the end: a cause stands some 5 KiB before it
_TAIL: Final = 4096  # what a termination message holds at most
_BLOCK: Final = 8  # lines of an exception's message
_CHAIN: Final = 8  # exceptions
_LINE: Final = 400
_MESSAGE: Final = 500
_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_HIDDEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
# What loggers, process groups and container runtimes put before a line.
_PREFIX: Final = re.compile(
    r"^(?:\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S{0,16} (?:std(?:out|err) [FP] )?"
    r"|\([A-Za-z][\w. ]{0,40} pid=\d+\) |\[rank\d+\]: ?|(?:ERROR|CRITICAL|WARNING|INFO|DEBUG)[: ]\s*"
    r"|\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? |\[?[\w./]{1,60}\.py:\d+\]+ ?)"
)
_RAISED: Final = re.compile(
    r"^(?:[A-Za-z_]\w{0,40}\.){0,8}[A-Z]\w{0,60}(?:Error|Exception|Interrupt|Exit|Died|IsEnabled|SuchBucket|SuchKey)\b(?::|$)"
)
_FATAL: Final = re.compile(
    r"\berror: |\bfatal\b|\bpanic\b|\bcommand not found\b|\bNo such file\b|^Killed$", re.IGNORECASE
)
# Raised because something else was raised before.
_ECHO: Final = re.compile(
    r"Engine core initialization failed|Engine process failed to start|Frontend process failed during engine core"
    r"|WorkerProc initialization failed|EngineDeadError|EngineCore encountered an issue|See stack trace"
    r"|See root cause above|^SystemExit|^KeyboardInterrupt|CancelledError|ChildFailedError|BrokenPipeError"
)
_NOISE: Final = re.compile(
    r"resource_tracker|^\s*warnings\.warn|UserWarning|DeprecationWarning|FutureWarning|errors\.pydantic\.dev"
    r"|^[\s^~]*$|^\s*File \"|^Traceback|^During handling|^The above exception|destroy_process_group"
    r"|\"[A-Z]{3,7} \S{1,2000} HTTP/\d"  # an access log tells of the clients' errors
)


class Words(NamedTuple):
    """`reason` is one of the reasons' page. `suggested_max_model_len`: tokens that would fit, 0: it does not say.

    `vague`: what is said whatever the cause was, which stands further up.
    """

    reason: str
    message: str
    suggested_max_model_len: int = 0
    vague: bool = False


def read(text: str) -> Words | None:
    """The cause that a container's last lines tell; where none is known, its root exception's line.

    `text` is a termination message or the end of a log, of any length and content. None: it says nothing.
    """
    lines = _lines(text)
    raised = [at for at, line in enumerate(lines) if _RAISED.match(line)]
    if found := _cause(_causes(lines, raised)) or vllm_sayings.first(" ".join(lines)[-_TAIL:]):
        return Words(found.reason, clip(_with_cause(found, lines, raised)), found.fits, bool(found.vague))
    line = _telling(lines, raised)
    if not line:
        return None
    return Words(UNCLEAR if _ECHO.search(line) else "CrashLoopBackOff", clip(line))


def _cause(causes: Iterator[str]) -> vllm_sayings.Found | None:
    """The last known one. Where that is said over another, as when the hub refused, the one that tells most."""
    known = (found for cause in causes if (found := vllm_sayings.first(cause)))
    last = next(known, None)
    if last is None or not last.vague:
        return last
    return min((last, *(found for found in known if found.reason in vllm_sayings.SOURCES)), key=lambda each: each.vague)


def clip(text: str, most: int = _MESSAGE) -> str:
    """In one line without control characters, of at most `most` characters, the cut marked."""
    flat = " ".join(_visible(text[: 8 * most]).split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def _lines(text: str) -> list[str]:
    """Without colours, timestamps and the names of processes; empty ones and those without a word left out."""
    visible = (_bare(line) for line in re.split(r"[\r\n]", _ESCAPES.sub("", text[-_ENOUGH:])))
    return [line for line in visible if line and not _NOISE.search(line)]


def _bare(line: str) -> str:
    line = _visible(line[:4096])
    for _ in range(6):
        if not (prefix := _PREFIX.match(line)):
            break
        line = line[prefix.end() :]
    return line.rstrip()


def _visible(text: str) -> str:
    return _HIDDEN.sub(" ", text)


def _causes(lines: list[str], raised: list[int]) -> Iterator[str]:
    """The exceptions that are no echo, the last first, each as one line, with the lines below it.

    Only where they tell nothing, the last lines count: in a whole log, warnings further up may name what did no harm.
    """
    causes = [" ".join(lines[at : at + _BLOCK]) for at in raised if not _ECHO.search(lines[at])]
    yield from reversed(causes[-_CHAIN:])


def _with_cause(found: vllm_sayings.Found, lines: list[str], raised: list[int]) -> str:
    line = _telling(lines, raised) if found.reason == vllm_sayings.DIED else ""
    return f"{found.message}: {line}" if line and not _ECHO.search(line) else found.message


def _telling(lines: list[str], raised: list[int]) -> str:
    """The line to show: the last exception that is no echo of another, else a fatal line, an echo, the last line."""
    cause = next((at for at in reversed(raised) if not _ECHO.search(lines[at])), None)
    if cause is not None:
        return _with_rest(lines, cause)
    fatal = next((line for line in reversed(lines) if _FATAL.search(line)), "")
    return fatal or (lines[raised[-1]] if raised else lines[-1].strip() if lines else "")


def _with_rest(lines: list[str], at: int) -> str:
    """An exception's line; pydantic's and the hub's say what it is about in the lines below."""
    rest = lines[at + 1 : at + 3] if len(lines[at]) < 120 else []
    return " ".join([lines[at][:_LINE], *(line.strip() for line in rest if line.startswith(" ") and "^" not in line)])
