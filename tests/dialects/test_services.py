"""What is passed on beside the dialects: read, sent to the very model, told apart from what is no answer."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.dialects import completions, services
from pointsman.dialects.refusals import read_error
from pointsman.dialects.services import PATHS, Service, unfit
from pointsman.exchange import BadRequestError, Failure, FailureKind, Head, Signal, Usage
from pointsman.names import ProviderType
from pointsman.sse import frames
from pointsman.table import Model, Provider

WHOLE = {
    Service.EMBEDDINGS: {"object": "list", "data": [{"index": 0, "embedding": [0.5, -1]}]},
    Service.RERANK: {"results": [{"index": 0, "relevance_score": 0.9}]},
    Service.SCORE: {"data": [{"index": 0, "score": 0.9}]},
    Service.COMPLETIONS: {"object": "text_completion", "choices": [{"text": "word", "finish_reason": "stop"}]},
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def place(kind: str = "VLLM", *api: str) -> Provider:
    return Provider(name="p", type=kind, base_url="http://p", api=api or ("openai-completions",))


def encode(document: object) -> bytes:
    return json.dumps(document).encode()


@pytest.mark.parametrize("service", Service)
@given(st.dictionaries(st.text(max_size=8).filter(lambda name: name != "model"), VALUES, max_size=5))
def test_a_body_goes_as_it_came_but_for_the_model(service: Service, more: dict[str, object]) -> None:
    """Whatever is in it: vendors' own fields too, as nobody knows here what they mean."""
    more.pop("stream", None)
    wire = services.ALL[service]
    head = wire.read_head(encode({**more, "model": "asked"}))
    body, dropped = wire.with_model(head.fields, Model(id="real"), place())
    assert json.loads(body) == {**more, "model": "real"}
    assert (dropped, head.model, head.needs) == ((), "asked", 0)


def test_openrouter_is_pinned_here_too() -> None:
    """A promise about a place holds whatever is asked for."""
    fields = services.ALL[Service.EMBEDDINGS].read_head(b'{"model":"m","input":"x"}').fields
    pinned = Provider(name="p", type="OpenRouter", base_url="http://p", api=("openai-completions",), region="eu")
    body, _ = services.ALL[Service.EMBEDDINGS].with_model(fields, Model(id="m"), pinned)
    assert json.loads(body)["provider"] == {"allow_fallbacks": False, "data_collection": "deny"}


@pytest.mark.parametrize("service", Service)
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"model":""}', b'{"model":1}', b'{"model":"a","model":"b"}'])
def test_a_request_without_a_model_is_told_what_to_mend(service: Service, body: bytes) -> None:
    """As in any dialect."""
    with pytest.raises(BadRequestError):
        services.ALL[service].read_head(body)


def test_every_path_leads_to_a_service() -> None:
    """With and without /v1, and Cohere's v2."""
    assert set(PATHS.values()) == set(Service) == set(services.ALL)
    for service, wire in services.ALL.items():
        assert PATHS[wire.PATH] is PATHS[wire.PATH.removeprefix("/v1")] is service
    assert PATHS["/v2/rerank"] is Service.RERANK


@pytest.mark.parametrize("service", Service)
def test_another_model_is_never_asked(service: Service) -> None:
    """It would be another space, another scale, another template."""
    assert unfit(place(), "m", "m", service) is None
    found = unfit(place(), "m-large", "m", service)
    assert found is not None
    assert found[0] == "other-model"


@pytest.mark.parametrize(
    ("kind", "served"),
    [
        ("VLLM", {"embeddings", "rerank", "score", "completions"}), ("Anthropic", set()),
        ("SGLang", {"embeddings", "rerank", "score", "completions"}), ("OpenAI", {"embeddings", "completions"}),
        ("LlamaCpp", {"embeddings", "rerank", "completions"}), ("Ollama", {"embeddings", "completions"}),
        ("LMStudio", {"embeddings", "completions"}), ("LiteLLM", {"embeddings", "rerank", "completions"}),
        ("OpenRouter", {"embeddings", "rerank", "completions"}),
        ("OpenAICompatible", {"embeddings", "rerank", "score", "completions"}),
    ],
)  # fmt: skip
def test_kinds_of_servers_that_lack_a_service_are_not_asked(kind: str, served: set[str]) -> None:
    """Each kind is in this list; one that only speaks Messages has nothing of OpenAI's."""
    assert kind in set(ProviderType)
    assert {service for service in Service if unfit(place(kind), "m", "m", service) is None} == served
    anthropic = [unfit(place(kind, "anthropic-messages"), "m", "m", service) for service in Service]
    assert {found[0] for found in anthropic if found} == {"no-service"}
    assert all(anthropic)


@pytest.mark.parametrize("service", Service)
def test_an_answer_is_one_if_there_is_something_in_it(service: Service) -> None:
    """What it cost is read from it; an error, a page, half of it and nothing in it are failures."""
    wire, good = services.ALL[service], WHOLE[service]
    assert wire.read_whole(200, encode(good)) is None
    told = {**good, "usage": {"prompt_tokens": 7, "total_tokens": 7}}
    assert wire.read_whole(200, encode(told)) == Usage(7, 0, 0)
    for bad in (encode(good)[:-4], b"", b"null", b"{}", b"<!DOCTYPE html>", encode({"data": [], "choices": []})):
        found = wire.read_whole(200, bad)
        assert isinstance(found, Failure)
        assert found.kind is FailureKind.INVALID_RESPONSE
    failed = wire.read_whole(200, encode({**good, "error": {"message": "overloaded", "type": "server_error"}}))
    assert isinstance(failed, Failure)


def test_a_list_of_ranks_is_an_answer() -> None:
    """SGLang gives no object."""
    assert services.ALL[Service.RERANK].read_whole(200, b'[{"index":0,"score":0.5}]') is None
    assert isinstance(services.ALL[Service.RERANK].read_whole(200, b"[]"), Failure)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (501, {"error": {"code": 501, "type": "not_supported_error",
                         "message": "This server does not support embeddings. Start it with `--embeddings`"}}),
        (404, {"detail": "Not Found"}), (405, {"detail": "Method Not Allowed"}),
        (400, {"error": {"message": "The model does not support Embeddings API", "type": "BadRequestError"}}),
        (500, {"error": {"message": "this model does not support embeddings", "type": "api_error"}}),
        (200, {"error": "Unexpected endpoint or method. (POST /v1/rerank)"}),
    ],
)  # fmt: skip
def test_a_missing_service_is_no_fault_of_the_models(status: int, body: dict[str, object]) -> None:
    """Such a refusal cools nothing, or a wrong request would take a chat model from everybody."""
    assert read_error(status, encode(body)).kind is FailureKind.UNSUPPORTED


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, "Authentication"), (429, "RateLimited"), (500, "ServerError"), (503, "ServerError"), (400, "BadRequest")],
)
def test_other_errors_mean_what_they_always_mean(status: int, kind: str) -> None:
    """A server that is down is down for all."""
    assert read_error(status, b'{"error":{"message":"no","type":"x"}}').kind == kind


def chunk(text: str | None, finish: str | None = None, index: int = 0) -> bytes:
    return b"data: %b\n\n" % encode({"choices": [{"text": text, "index": index, "finish_reason": finish}]})


def signals(stream: bytes, choices: int = 1) -> list[Signal | Failure]:
    scanner = completions.Scanner(Head("m", stream=True, fields={}, choices=choices))
    return [scanner.feed(frame) for frame in frames(stream)]


def test_a_stream_commits_with_its_first_word_and_ends_with_done() -> None:
    """An empty piece is nothing yet; a usage chunk has no choices."""
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n'
    stream = chunk("") + chunk("one") + chunk(" two", "length") + usage + b"data: [DONE]\n\n"
    assert signals(stream) == [
        Signal.PREAMBLE, Signal.OUTPUT, Signal.OUTPUT, Signal.PREAMBLE, Signal.TERMINAL,
    ]  # fmt: skip


def test_nothing_may_follow_a_prompt() -> None:
    """A completion of no words that ends is an answer; a stream that is closed before any end is none."""
    assert signals(chunk("", "stop") + b"data: [DONE]\n\n") == [Signal.OUTPUT, Signal.TERMINAL]
    cut = signals(chunk("one") + b"data: [DONE]\n\n")[-1]
    assert isinstance(cut, Failure)
    assert isinstance(signals(b"data: [DONE]\n\n")[-1], Failure)
    assert isinstance(signals(b'data: {"error":{"message":"x"}}\n\n')[-1], Failure)
    assert isinstance(signals(b"data: nonsense\n\n")[-1], Failure)


@pytest.mark.parametrize(
    ("more", "choices"),
    [
        ({}, 1), ({"prompt": "x"}, 1), ({"prompt": ["a", "b"]}, 2), ({"prompt": ["a", "b"], "n": 3}, 6),
        ({"prompt": [1, 2, 3]}, 1), ({"prompt": [[1], [2]]}, 2), ({"n": "x", "prompt": {}}, 1), ({"n": 10**9}, 65536),
    ],
)  # fmt: skip
def test_every_prompt_has_its_choices(more: dict[str, object], choices: int) -> None:
    """A stream is complete when all have ended, even if [DONE] is forgotten."""
    head = completions.read_head(encode({"model": "m", **more}))
    assert head.choices == choices
    scanner = completions.Scanner(head)
    for i in range(min(choices, 9)):
        assert scanner.closing() is None
        scanner.feed(frames(chunk("x", "stop", i))[0])
    assert (scanner.closing() is not None) == (choices < 9)


@given(st.binary(max_size=60))
def test_no_bytes_break_the_readers(body: bytes) -> None:
    """Servers are strangers."""
    for wire in services.ALL.values():
        assert wire.read_whole(200, body) is None or isinstance(wire.read_whole(200, body), Failure | Usage)
    assert isinstance(read_error(500, body), Failure)
    for frame in frames(body + b"\n\n"):
        completions.Scanner(Head("m", stream=True, fields={})).feed(frame)
