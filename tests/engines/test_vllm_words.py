"""The reason behind the last words of a container: vLLM's own of several versions, the hub's, the kernel's."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.api.deploy import Deploy
from pointsman.engines import vllm_words
from pointsman.engines.vllm_sayings import ALL
from pointsman.engines.vllm_sayings_settings import FIELDS, path
from pointsman.engines.vllm_words import Words, read
from pointsman.fleet.reasons import REASONS

if TYPE_CHECKING:
    from collections.abc import Mapping

# Of vLLM 0.32.0 for processors, which was really started so; paths apart as they came.
LOGS: Final = Path(__file__).parent / "words"
KUBELET: Final = 2048  # bytes of a log's end that kubelet takes for a termination message

SAYINGS: Final = json.loads((LOGS / "sayings.json").read_text())  # what vLLM, the hub's client and s3 said at one time


ROOT: Final = (
    "2026-11-21T09:00:00.123Z stderr F (EngineCore_DP0 pid=163) ERROR 01-22 09:42:00 [core.py:58] OddError: no"
)


def saying(part: str) -> str:
    return next(str(case["text"]) for case in SAYINGS if part in case["text"])


@pytest.mark.parametrize("case", SAYINGS, ids=lambda case: case["text"][:60])
def test_each_usual_trouble_has_its_reason(case: Mapping[str, str]) -> None:
    """In vLLM's words of several versions; the numbers that matter are in the message, and no braces are left."""
    found = read(case["text"])
    assert found
    assert found.reason == case["reason"]
    assert case["words"] in found.message
    assert found.reason in REASONS
    assert not set("{}\n") & set(found.message)


@pytest.mark.parametrize(
    ("part", "fits"),
    [("131072), (16.0 GiB", 75936), ("(40960)", 28000), ("1.75 GB", 0), ("max seq len (8192)", 4512), ("1.16 GiB", 0)],
)
def test_the_length_that_would_fit_is_a_number(part: str, fits: int) -> None:
    """As far as vLLM says one."""
    found = read(saying(part))
    assert found
    assert found.suggested_max_model_len == fits


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("own", "MaxModelLenTooLarge"),
        ("tp", "ParallelismMismatch"),
        ("repo", "ModelNotCached"),
        ("badflag", "InvalidArguments"),
        ("toolparser", "InvalidArguments"),
        ("share", "InvalidArguments"),
        ("batch", "InvalidArguments"),
        ("empty", "ModelSourceNotFound"),
    ],
)
def test_what_fails_before_the_engine_is_in_a_termination_message(name: str, reason: str) -> None:
    """Real ends of vLLM 0.32, of which kubelet keeps so much."""
    found = read((LOGS / f"{name}.txt").read_text()[-KUBELET:])
    assert found
    assert found.reason == reason


def test_what_fails_in_the_engine_is_in_the_log_alone() -> None:
    """The second traceback alone is longer than kubelet's 2 KiB, and than any termination message."""
    text = (LOGS / "kv.txt").read_text()
    for most in (KUBELET, 4096):
        short = read(text[-most:])
        assert short
        assert short.reason == vllm_words.UNCLEAR
    assert read(text) == Words(
        "KVCacheTooSmall",
        "a context of 9000000 tokens needs 8.58 GiB of KV cache, 1.0 GiB are free for it: 1048448 tokens would fit",
        1048448,
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Traceback (most recent call last):\n  File \"a.py\", line 1\n    f()\nKeyError: 'x'\n", "KeyError: 'x'"),
        ("\x1b[1;31mERROR\x1b[0m 07-29 13:23:24 [core.py:708] RuntimeError: \x1b[31mboom\x1b[0m", "RuntimeError: boom"),
        (f"{ROOT}\n(APIServer pid=1) RuntimeError: Engine core initialization failed. See root", "OddError: no"),
        ("(VllmWorkerProcess pid=92) ERROR 07-29 13:23:24 multiproc.py:226] TypeError: bad", "TypeError: bad"),
        ("ValueError: first\n\nThe above exception was the direct cause of the following exception:\n\nOSError: second",
         "OSError: second"),
        ("[rank0]: KeyError: 'w'\nUserWarning: resource_tracker: There appear to be 1 leaked\n  warnings.warn('x')",
         "KeyError: 'w'"),
        ("sh: 1: vllm: command not found\nbye", "sh: 1: vllm: command not found"),
        ("Loading:  10%\rLoading:  20%\rsome last line", "some last line"),
    ],
)  # fmt: skip
def test_the_line_of_any_other_crash_is_well_chosen(text: str, line: str) -> None:
    """The root exception's, without colours, times and the names of processes; else the last line."""
    assert read(text) == Words("CrashLoopBackOff", line)


def test_an_engine_that_dies_says_of_what() -> None:
    """The cause stands above the notice of death."""
    text = "[core.py:9] EngineCore encountered a fatal error.\nRuntimeError: odd shape\nEngineDeadError: EngineCore"
    assert read(text) == Words("EngineDied", "the engine's process died while it served: RuntimeError: odd shape")


def test_a_warning_in_a_long_log_is_no_cause() -> None:
    """What was tried again did no harm; only the exceptions and the last lines count."""
    noise = (
        "WARNING 11-21 Permission denied: '/etc/x'\nINFO 404 Client Error for generation_config\n"
        + "INFO fine\n" * 3000
    )
    assert read(f"{noise}KeyError: 'w'") == Words("CrashLoopBackOff", "KeyError: 'w'")


@pytest.mark.parametrize("text", ["", "\n\n", "\x00\x1b[0m\r\n", "  ^^^^\n~~~~", "\u200b\u202e"])
def test_nothing_legible_says_nothing(text: str) -> None:
    """Then the exit code is all there is."""
    assert read(text) is None


_PIECES = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            *(case["text"] for case in SAYINGS),
            "\x1b[",
            "\x1b]0;",
            "ERROR ",
            "(a pid=1) ",
            "max seq len (",
            "{fits}",
            "\r\n",
        ]
    ),
    st.sampled_from([saying.pattern.pattern[:60] for saying in ALL]),
)


@given(st.lists(_PIECES, max_size=30).map("".join))
def test_any_text_gives_a_documented_reason_in_one_clean_line(text: str) -> None:
    """Whatever a container wrote."""
    found = read(text)
    if found:
        assert found.reason in REASONS
        assert 0 < len(found.message) <= 500
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e]", found.message)
        assert 0 <= found.suggested_max_model_len < 10**9


@pytest.mark.parametrize(
    "piece",
    ["a", "(a pid=1) ", "Error: ", "NCCL error", "max seq len (", "x.y.", "\x1b[3", "[a/", "{", "/dev/shm ", "\u202e"],
)
def test_megabytes_without_a_line_break_are_cut_first(piece: str) -> None:
    """Only the end is looked at, and no pattern runs away on it."""
    found = read(piece * 300_000)
    assert found is None or len(found.message) <= 500


def test_a_hub_that_refused_was_reached() -> None:
    """Transformers ends with "couldn't connect" whatever the hub had answered; taken from a real start of 0.32."""
    text = (Path(__file__).parents[1] / "testbed" / "vllm_words" / "rate-limited.txt").read_text()
    found = read(text)
    assert found is not None
    assert found.reason == "RateLimitedByHub"


_OVER: Final = (
    "\n\nThe above exception was the direct cause of the following exception:\n\nTraceback (most recent call last):\n"
)
_INVALID: Final = (
    "Invalid repository ID or local directory specified: 'o/m'.\nPlease verify the following requirements:"
)
_MISSED: Final = (  # vLLM 0.8 to 0.32 raises it over whatever kept it from finding a config
    f"{_OVER}ValueError: {_INVALID}{_OVER}pydantic_core._pydantic_core.ValidationError: 1 validation error for "
    f"ModelConfig\n  Value error, {_INVALID} [type=value_error, input_value=ArgsKwargs(()), input_type=ArgsKwargs]"
)
_NO_FILE: Final = (  # huggingface_hub's and Transformers', over any answer but 401, 403 and 404
    f"{_OVER}huggingface_hub.errors.LocalEntryNotFoundError: An error happened while trying to locate the file on the "
    f"Hub and we cannot find the requested files in the local cache.{_OVER}OSError: We couldn't connect to "
    "'https://huggingface.co' to load the files, and couldn't find them in the cached files."
)
_HUB: Final = "huggingface_hub.errors"


@pytest.mark.parametrize("wrapped", [_MISSED, _NO_FILE, _NO_FILE + _MISSED])
@pytest.mark.parametrize(
    ("cause", "reason", "words"),
    [
        (f"{_HUB}.HfHubHTTPError: 429 Client Error: Too Many Requests for url: x", "RateLimitedByHub", "429"),
        (f"{_HUB}.HfHubHTTPError: 503 Server Error: Service Unavailable for url: x", "ModelSourceUnreachable", "503"),
        ("httpx.HTTPStatusError: Server error '502 Bad Gateway' for url 'x'", "ModelSourceUnreachable", "502"),
        (
            f"{_HUB}.GatedRepoError: 401 Client Error.\n\nCannot access gated repo for url x",
            "ModelAccessDenied",
            "gated",
        ),
        (
            f"{_HUB}.RevisionNotFoundError: 404 Client Error.\n\nRevision Not Found for url",
            "ModelSourceNotFound",
            "rev",
        ),
        (f"{_HUB}.OfflineModeIsEnabled: Cannot reach https://x: offline mode is enabled", "ModelNotCached", "cache"),
        ("httpx.ConnectError: [Errno -2] Name or service not known", "ModelSourceUnreachable", "no address"),
    ],
)
def test_what_is_said_over_any_error_does_not_hide_it(wrapped: str, cause: str, reason: str, words: str) -> None:
    """The cause stands in the same text, further up."""
    found = read(f"Traceback (most recent call last):\n{cause}{wrapped}")
    assert found
    assert (found.reason, found.vague) == (reason, False)
    assert words in found.message


@pytest.mark.parametrize(
    ("wrapped", "reason"), [(_MISSED, "ModelSourceNotFound"), (_NO_FILE, "ModelSourceUnreachable")]
)
def test_what_is_said_over_any_error_is_marked_where_it_stands_alone(wrapped: str, reason: str) -> None:
    """A termination message often holds no more; the log tells the rest."""
    found = read(wrapped)
    assert found
    assert (found.reason, found.vague) == (reason, True)


def test_an_access_log_is_no_cause() -> None:
    """A client's wrong key is answered with 401, and an engine that died with 500."""
    text = (
        'INFO:     10.0.0.7:33412 - "GET /v1/models HTTP/1.1" 401 Unauthorized\n'
        'INFO:     10.0.0.7:33412 - "POST /v1/chat/completions HTTP/1.1" 500 Internal Server Error\n'
        "(APIServer pid=1) vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue."
    )
    found = read(text)
    assert found
    assert found.reason == "EngineDied"


def test_a_long_list_of_parsers_is_cut_after_a_name() -> None:
    """Of some forty that vLLM 0.32 has."""
    names = ",".join(f"parser_{number}" for number in range(60))
    found = read(f"KeyError: 'invalid tool call parser: x (chose from {{ {names} }})'")
    assert found
    assert re.search(r"it has parser_0,.*,parser_\d\d,?$", found.message)


def test_a_refused_request_is_no_refused_setting() -> None:
    """Pydantic checks both."""
    text = "ValidationError: 1 validation error for ChatCompletionRequest\nmodel\n  Field required [type=missing]"
    found = read(text)
    assert found
    assert found.reason == "CrashLoopBackOff"


def test_a_setting_is_named_by_its_path() -> None:
    """Each path is a field of the spec; what has none keeps vLLM's name."""
    known = Deploy.model_json_schema(by_alias=True)["$defs"]
    parts = {"engine": "Engine", "parallelism": "Parallelism", "model": "ModelSource"}
    paths = {f"spec.deploy.{part}.{name}" for part, model in parts.items() for name in known[model]["properties"]}
    assert set(FIELDS.values()) <= paths
    assert path("gpu_memory_utilization") == "spec.deploy.engine.gpuMemoryUtilization"
    assert path("hf_overrides") == "hf_overrides"
