"""The commit point and the end of real streams, in every dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dialects.corpus import CHAT, MESSAGES, RESPONSES
from pointsman.dialects import Wire, chat, messages, responses
from pointsman.exchange import Failure, FailureKind, Head, Signal
from pointsman.sse import frames

STREAMS = [
    pytest.param(module, stream, id=f"{module.__name__.rpartition('.')[2]}-{name}")
    for module, corpus in ((chat, CHAT), (responses, RESPONSES), (messages, MESSAGES))
    for name, stream in corpus.items()
]
MEANING = {"P": Signal.PREAMBLE, "O": Signal.OUTPUT, "T": Signal.TERMINAL, "C": Signal.CALL}
HEAD = Head("m", stream=True, fields={})


def meanings(module: Wire, *raw: str) -> list[Signal | Failure]:
    scanner = module.Scanner(HEAD)
    return [scanner.feed(frame) for text in raw for frame in frames(text.encode() + b"\n\n")]


@pytest.mark.parametrize(("module", "stream"), STREAMS)
def test_real_streams_mean_what_they_mean(module: Wire, stream: list[tuple[str, str]]) -> None:
    """Role chunks, created, added, start and ping are preamble, words and thoughts are output, calls are calls."""
    assert meanings(module, *(raw for raw, _ in stream)) == [MEANING[meaning] for _, meaning in stream]


@pytest.mark.parametrize(("module", "stream"), STREAMS)
def test_quiet_never_hides_an_end_or_a_call(module: Wire, stream: list[tuple[str, str]]) -> None:
    """What the cheap look lets pass has no end and no call in it, whatever frames come in one read."""
    raws = [raw.encode() + b"\n\n" for raw, _ in stream]
    for start in range(len(raws)):
        for stop in range(start + 1, len(raws) + 1):
            run = b"".join(raws[start:stop])
            if module.Scanner(HEAD).quiet(run):
                assert not any(meaning in {"T", "C"} for _, meaning in stream[start:stop])


@pytest.mark.parametrize(
    ("module", "raw"),
    [(chat, CHAT["vllm"][1][0]), (chat, CHAT["llama.cpp"][1][0]), (chat, CHAT["spaced"][0][0]),
     (responses, RESPONSES["vllm"][4][0]), (messages, MESSAGES["vllm"][2][0])],
)  # fmt: skip
def test_words_are_quiet(module: Wire, raw: str) -> None:
    """The words of an answer pass without being decoded: that is what makes streams cheap."""
    assert module.Scanner(HEAD).quiet(raw.encode() + b"\n\n")


@pytest.mark.parametrize(
    ("module", "raw", "kind"),
    [
        (chat, 'data: {"error":{"message":"Overloaded","type":"overloaded_error","code":503}}', "ServerError"),
        (chat, 'data: {"error":{"message":"slow down","code":"rate_limit_exceeded"}}', "RateLimited"),
        (chat, 'data: {"error":"boom"}', "ServerError"),
        (chat, 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}', "ServerError"),
        (chat, 'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"network_error"}]}', "Timeout"),
        (responses, 'data: {"type":"response.incomplete","response":{"incomplete_details":{"reason":"abort"}}}', "Timeout"),
        (chat, "data: {bad", "InvalidResponse"),
        (chat, "data: [DONE]", "InvalidResponse"),
        (chat, 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}', "InvalidResponse"),
        (responses, 'data: {"type":"response.failed","response":{"error":{"code":"server_error","message":"x"}}}', "ServerError"),
        (responses, 'event: error\ndata: {"type":"error","code":"rate_limit_exceeded","message":"x"}', "RateLimited"),
        (responses, 'data: {"type":"response.completed","response":{"output":[]}}', "InvalidResponse"),
        (responses, "data: nonsense", "InvalidResponse"),
        (messages, 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', "ServerError"),
        (messages, 'event: error\ndata: {"type":"error","error":{"type":"authentication_error","message":"x"}}', "Authentication"),
        (messages, 'event: error\ndata: {"type":"error","message":"x"}', "ServerError"),
        (messages, 'data: {"type":"message_delta","delta":{"stop_reason":"error"}}', "ServerError"),
        (messages, 'data: {"type":"message_stop"}', "InvalidResponse"),
        (messages, 'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}', "InvalidResponse"),
        (messages, "data: 3", "InvalidResponse"),
    ],
)  # fmt: skip
def test_errors_in_a_stream_and_empty_answers_are_failures(module: Wire, raw: str, kind: str) -> None:
    """An error event, what is no event, and an end without a word."""
    found = meanings(module, raw)[-1]
    assert isinstance(found, Failure)
    assert found.kind == kind
    assert not module.Scanner(HEAD).quiet(raw.encode() + b"\n\n")


@pytest.mark.parametrize(
    ("module", "raw"),
    [
        (chat, 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"content_filter"}]}'),
        (chat, 'data: {"choices":[{"index":0,"delta":{"refusal":"no"},"finish_reason":null}]}'),
        (messages, 'data: {"type":"message_delta","delta":{"stop_reason":"refusal"}}'),
        (responses, 'data: {"type":"response.refusal.delta","delta":"no"}'),
    ],
)
def test_a_refusal_is_an_answer(module: Wire, raw: str) -> None:
    """A refusal commits: it is not shopped around."""
    assert meanings(module, raw)[-1] is Signal.OUTPUT


@pytest.mark.parametrize(
    ("module", "last"),
    [(chat, b"data: [DONE]\n\n"), (messages, b'event: message_stop\ndata: {"type":"message_stop"}\n\n')],
)
def test_a_stream_that_is_closed_without_a_reason_was_cut(module: Wire, last: bytes) -> None:
    """A proxy that loses its upstream may still close well: the words so far are not presented as all."""
    word = {
        chat: {"choices": [{"index": 0, "delta": {"content": "one"}}]},
        messages: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "one"}},
    }[module]
    scanner = module.Scanner(Head("m", stream=True, fields={}))
    assert scanner.feed(frames(b"data: " + json.dumps(word).encode() + b"\n\n")[0]) is Signal.OUTPUT
    found = scanner.feed(frames(last)[0])
    assert isinstance(found, Failure)
    assert found.kind is FailureKind.CONNECT_FAILURE


def test_all_choices_must_end() -> None:
    """With `n` answers asked for, the stream is whole when all of them have ended."""
    scanner = chat.Scanner(Head("m", stream=True, fields={}, choices=2))
    for index in (0, 1):
        assert scanner.closing() is None
        choice = {"index": index, "delta": {"content": "x"}, "finish_reason": "stop"}
        scanner.feed(frames(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n")[0])
    assert scanner.closing() == b"data: [DONE]\n\n"


GOOD: dict[Any, list[Any]] = {
    chat: [{"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]},
           {"choices": [{"message": {"content": None, "tool_calls": [{"id": "t", "function": {"name": "w"}}]}, "finish_reason": "tool_calls"}]},
           {"choices": [{"message": {"content": None, "reasoning": "hm"}, "finish_reason": "length"}]},
           {"choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}]}],
    responses: [{"status": "completed", "output": [{"type": "message", "content": [{"type": "output_text", "text": "x"}]}], "error": None},
                {"status": "incomplete", "output": [], "incomplete_details": {"reason": "max_output_tokens"}}],
    messages: [{"type": "message", "content": [{"type": "text", "text": "x"}]},
               {"type": "message", "content": [], "stop_reason": "refusal"}],
}  # fmt: skip
BAD: dict[Any, list[Any]] = {
    chat: [{}, {"choices": []}, {"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]},
           {"error": {"message": "x"}}, [], "x", {"choices": 3}],
    responses: [{}, {"output": []}, {"status": "completed", "output": [{"type": "message", "content": []}]}, {"error": {"message": "x"}, "output": [1]}, [], None],
    messages: [{}, {"content": []}, {"type": "error", "error": {"type": "api_error"}}, []],
}  # fmt: skip


@pytest.mark.parametrize("module", [chat, responses, messages])
def test_whole_answers_are_looked_at(module: Wire) -> None:
    """An unstreamed answer is JSON of the right shape with something in it, or it is none."""
    for good in GOOD[module]:
        assert module.whole_ok(200, json.dumps(good).encode()) is None, good
    for bad in [*(json.dumps(bad).encode() for bad in BAD[module]), b"", b"<html>", b'{"choices":[', b"[" * 100_000]:
        assert module.whole_ok(200, bad) is not None, bad


@pytest.mark.parametrize("module", [chat, responses, messages])
def test_errors_are_written_in_the_dialects_shape(module: Wire) -> None:
    """Clients read errors in their own dialect, also inside a stream."""
    error = json.loads(module.write_error(503, "all_candidates_failed", "m", {"attempts": []}))
    assert error["error"]["code"] == "all_candidates_failed"
    assert error["error"]["message"] == "m"
    assert module.is_error(json.dumps(error).encode())
    event = module.write_stream_error(502, "upstream_failed", "m")
    assert isinstance(meanings(module, event.decode().rstrip("\n"))[-1], Failure)
