"""Clients of one dialect and targets of another: the answer comes as if there were one dialect."""

from __future__ import annotations

import json
from itertools import permutations, product
from typing import Any

import pytest

from gateway.conftest import ALL_APIS, DIALECTS, FAST, PATHS, Reply, Start, chain, provider
from gateway.fakeupstream import TEXT, FakeUpstream
from pointsman.table import Policy

API = dict(zip(DIALECTS, ALL_APIS, strict=True))
PAIRS = list(permutations(DIALECTS, 2))
pairs = pytest.mark.parametrize(("client", "target"), PAIRS)
streams = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
ENDS = {"completions": b"data: [DONE]\n\n", "responses": b"response.completed", "messages": b"message_stop"}
TOOLS = {
    "completions": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}],
    "responses": [{"type": "function", "name": "weather", "parameters": {"type": "object"}}],
    "messages": [{"name": "weather", "input_schema": {"type": "object"}}],
}


def speaking(dialect: str, name: str, upstream: FakeUpstream, model: str = "ok", **more: Any) -> Any:
    """A provider that speaks one dialect alone."""
    return provider(name, upstream, model, api=(API[dialect],), **more)


def is_whole(dialect: str, reply: Reply, text: str = TEXT) -> bool:
    """A good answer with these words, and its end if it is streamed."""
    ended = ENDS[dialect] in reply.body if reply.fields["content-type"].startswith("text/event-stream") else True
    return (reply.status, reply.text, reply.whole) == (200, text, True) and ended


@pairs
@streams
async def test_any_client_is_answered_by_any_target(
    start: Start, upstream: FakeUpstream, client: str, target: str, stream: bool
) -> None:
    """In its own dialect; the target is asked in its own; the header tells."""
    gateway = await start(chain(speaking(target, "a", upstream)))
    reply = await gateway.ask(client, stream=stream)
    assert is_whole(client, reply)
    assert f"; translated={API[target]}; attempts=1" in reply.decision
    [seen] = upstream.seen
    assert (seen.path, seen.body["model"]) == (PATHS[target], "ok")
    assert seen.body.get("stream", False) is stream
    story = (await gateway.get(f"/-/explain/{reply.fields['x-request-id']}")).json
    assert (story["dialect"], story["translated"]) == (API[client], API[target])


@pairs
@streams
@pytest.mark.parametrize("fault", ["status-503", "cut-before", "rate-limited", "empty", "garbage"])
async def test_a_failure_before_the_answer_is_not_seen(  # noqa: PLR0917 - fixtures and three parameters
    start: Start, upstream: FakeUpstream, client: str, target: str, fault: str, stream: bool
) -> None:
    """Whoever fails and whoever answers, each in its own dialect."""
    other = next(each for each in DIALECTS if each not in {client, target})
    gateway = await start(chain(speaking(target, "a", upstream, fault), speaking(other, "b", upstream)))
    reply = await gateway.ask(client, stream=stream)
    assert is_whole(client, reply), reply.body
    assert "answered=b/ok" in reply.decision
    assert "passed=a/" in reply.decision


@pairs
@pytest.mark.parametrize("fault", ["error-first", "preamble-error", "cut-preamble", "stall-preamble"])
async def test_a_stream_without_output_is_not_seen(
    start: Start, upstream: FakeUpstream, client: str, target: str, fault: str
) -> None:
    """A preamble is no answer in any dialect."""
    gateway = await start(chain(speaking(target, "a", upstream, fault), speaking(target, "b", upstream)))
    reply = await gateway.ask(client, stream=True)
    assert is_whole(client, reply), reply.body
    assert "answered=b/ok" in reply.decision


@pairs
@pytest.mark.parametrize("fault", ["cut-mid", "reset-mid", "end-mid", "error-mid", "stall-mid", "malformed"])
@pytest.mark.parametrize("second", ["no-prefill", "prefill", "echo", "anew"])
async def test_a_stream_that_breaks_is_taken_up_in_another_dialect(  # noqa: PLR0917 - as above
    start: Start, upstream: FakeUpstream, client: str, target: str, fault: str, second: str
) -> None:
    """The client's stream goes on under its own ids, and every word comes once."""
    other = next(each for each in DIALECTS if each not in {client, target})
    gateway = await start(chain(speaking(target, "a", upstream, fault), speaking(other, "b", upstream, second)))
    reply = await gateway.ask(client, stream=True)
    assert is_whole(client, reply), reply.body
    assert b": taken up by b/" in reply.body


@pytest.mark.parametrize(("client", "second"), list(product(DIALECTS, DIALECTS)))
@pytest.mark.parametrize("first", DIALECTS)
async def test_a_stream_that_breaks_is_taken_up_by_one_that_thinks(
    start: Start, upstream: FakeUpstream, client: str, first: str, second: str
) -> None:
    """The first spoke at once; what the second thinks before it says the same is not the client's."""
    gateway = await start(chain(speaking(first, "a", upstream, "cut-mid"), speaking(second, "b", upstream, "thinks")))
    reply = await gateway.ask(client, stream=True)
    assert is_whole(client, reply), reply.body
    assert b": taken up by b/" in reply.body
    assert b"So" not in reply.body
    assert b"secret" not in reply.body


@pairs
async def test_flags_take_it_up_in_chat(start: Start, upstream: FakeUpstream, client: str, target: str) -> None:
    """The engine goes on exactly where the first broke off, whatever the two dialects are."""
    second = provider("b", upstream, "flags", type="VLLM", api=("openai-completions",))
    gateway = await start(chain(speaking(target, "a", upstream, "cut-mid"), second))
    reply = await gateway.ask(client, stream=True)
    assert is_whole(client, reply), reply.body
    asked = upstream.asked("flags")[0].body
    assert asked["continue_final_message"] is True
    assert asked["messages"][-1] == {"role": "assistant", "content": "one two"}


@pairs
async def test_a_tool_call_crosses(start: Start, upstream: FakeUpstream, client: str, target: str) -> None:
    """With its name and all of its arguments."""
    gateway = await start(chain(speaking(target, "a", upstream, "call")))
    reply = await gateway.ask(client, stream=True, tools=TOOLS[client])
    assert reply.status == 200, reply.body
    assert _calls(client, reply) == [("weather", {"city": "Paris"})]


@pairs
async def test_a_cut_call_is_made_by_another(start: Start, upstream: FakeUpstream, client: str, target: str) -> None:
    """Nothing of half a call reaches the client."""
    gateway = await start(
        chain(speaking(target, "a", upstream, "bare-cut"), speaking(target, "b", upstream, "bare-call"))
    )
    upstream.gate.set()
    reply = await gateway.ask(client, stream=True, tools=TOOLS[client])
    assert _calls(client, reply) == [("weather", {"city": "Paris"})]
    assert "answered=b/bare-call" in reply.decision


@pairs
async def test_a_refusal_is_told_in_the_clients_words(
    start: Start, upstream: FakeUpstream, client: str, target: str
) -> None:
    """What the target found wrong, in the client's shape."""
    gateway = await start(chain(speaking(target, "a", upstream, "wrong")))
    reply = await gateway.ask(client)
    assert reply.status == 400
    assert "messages[0].role: unknown" in reply.json["error"]["message"]
    assert (reply.json.get("type") == "error") == (client == "messages")


@pairs
async def test_what_a_refusal_names_crosses(start: Start, upstream: FakeUpstream, client: str, target: str) -> None:
    """The parameter and the code that the target names stay, in the client's shape; nothing else of its body does."""
    gateway = await start(chain(speaking(target, "a", upstream, "wrong-field")))
    reply = await gateway.ask(client)
    error = reply.json["error"]
    assert reply.status == 400
    assert "tools[0]: no such type" in error["message"]
    assert (error["param"], error["code"]) == ("tools[0].type", "unsupported_parameter")
    assert (reply.json.get("type"), error["type"]) == (
        "error" if client == "messages" else None,
        "invalid_request_error",
    )


LOST = {
    "completions": {"n": 2},
    "responses": {"tools": [{"type": "web_search"}]},
    "messages": {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
}


@pairs
async def test_what_cannot_be_said_passes_a_target_over(
    start: Start, upstream: FakeUpstream, second: FakeUpstream, client: str, target: str
) -> None:
    """Never lost in silence: who speaks the client's dialect is asked; where nobody does, the client is told why."""
    gateway = await start(chain(speaking(target, "a", upstream), speaking(client, "b", second)))
    reply = await gateway.ask(client, **LOST[client])
    assert is_whole(client, reply), reply.body
    assert "answered=b/ok" in reply.decision
    assert "passed=a/ok:" in reply.decision
    assert not upstream.seen
    gateway = await start(chain(speaking(target, "a", upstream)))
    reply = await gateway.ask(client, **LOST[client])
    assert reply.status == 400
    assert "a/ok" in reply.json["error"]["message"]
    assert not upstream.seen


@pairs
async def test_a_route_may_leave_hosted_tools_out(
    start: Start, upstream: FakeUpstream, client: str, target: str
) -> None:
    """`dropTools`: the target is asked without them, and the header names them."""
    if client == "completions":
        return  # it has none among its tools
    policy = Policy(timeouts=FAST.timeouts, drop_tools=True)
    gateway = await start(chain(speaking(target, "a", upstream), policy=policy))
    tools = [*LOST[client]["tools"], *TOOLS[client]]
    reply = await gateway.ask(client, tools=tools)
    assert is_whole(client, reply), reply.body
    assert f"dropped=tools.{tools[0]['type']}" in reply.decision
    assert len(upstream.seen[0].body["tools"]) == 1
    searched = {"role": "user", "content": "hi"}, {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    if client == "responses":  # what was found then cannot be told
        assert (await gateway.ask(client, tools=tools, input=list(searched))).status == 400


async def test_any_field_may_be_named(start: Start, upstream: FakeUpstream) -> None:
    """Clients call fields what they like, and send any number of them: the header stays one."""
    gateway = await start(chain(speaking("messages", "a", upstream)))
    reply = await gateway.ask(**{"x\r\nset-cookie: a": 1, **{f"field{i}": 1 for i in range(99)}})
    assert is_whole("completions", reply)
    assert "set-cookie" not in reply.fields
    assert "dropped=x%0D%0Aset-cookie%3A%20a,field0," in reply.decision
    assert reply.decision.endswith(",+60")


@pytest.mark.parametrize(("client", "target"), list(product(["completions"], ["responses", "messages"])))
async def test_a_knob_without_an_equivalent_is_named(
    start: Start, upstream: FakeUpstream, client: str, target: str
) -> None:
    """The target is asked without it, and the header says so."""
    gateway = await start(chain(speaking(target, "a", upstream)))
    reply = await gateway.ask(client, seed=7, logit_bias={"1": 2})
    assert is_whole(client, reply)
    dropped = reply.decision.partition("dropped=")[2].split(",")
    assert {"logit_bias", "seed"} <= set(dropped)
    assert not {"seed", "logit_bias"} & upstream.seen[0].body.keys()


async def test_a_target_is_asked_in_the_dialect_that_says_most(start: Start, upstream: FakeUpstream) -> None:
    """Chat has stop sequences, and Responses has none."""
    both = provider("a", upstream, api=("openai-responses", "openai-completions"))
    gateway = await start(chain(both))
    reply = await gateway.ask("messages", stop_sequences=["halt"])
    assert is_whole("messages", reply), reply.body
    assert (upstream.seen[0].path, upstream.seen[0].body["stop"]) == (PATHS["completions"], ["halt"])
    reply = await gateway.ask("messages")
    assert upstream.seen[1].path == PATHS["responses"]


async def test_tokens_are_counted_in_the_targets_dialect(start: Start, upstream: FakeUpstream) -> None:
    """Where it cannot be asked they are estimated: a count is never refused for its dialect."""
    gateway = await start(chain(speaking("completions", "a", upstream)))
    body = json.dumps({"model": "assistant", "messages": [{"role": "user", "content": "hello"}]}).encode()
    reply = await gateway.send("POST", "/v1/messages/count_tokens", body, {})
    assert reply.status == 200
    assert reply.json["input_tokens"] > 0


@pairs
async def test_a_request_that_cannot_be_read_is_refused(
    start: Start, upstream: FakeUpstream, client: str, target: str
) -> None:
    """With what is wrong and where, and nothing is sent."""
    gateway = await start(chain(speaking(target, "a", upstream)))
    turns = {"input" if client == "responses" else "messages": [{"role": "user", "content": 7}]}
    reply = await gateway.ask(client, **turns)
    assert reply.status == 400
    assert "[0]" in reply.json["error"]["message"]
    assert not upstream.seen


@pairs
async def test_usage_crosses(start: Start, upstream: FakeUpstream, client: str, target: str) -> None:
    """Cached tokens are counted as the client's dialect counts them."""
    gateway = await start(chain(speaking(target, "a", upstream, "bill")))
    options = {"stream_options": {"include_usage": True}} if client == "completions" else {}
    whole = (await gateway.ask(client)).json["usage"]
    streamed = _usage(client, (await gateway.ask(client, stream=True, **options)).events)
    for told in (whole, streamed):
        assert (told.get("completion_tokens") or told["output_tokens"]) == 5
        cached = told.get("cache_read_input_tokens")
        assert (told.get("prompt_tokens") or told["input_tokens"]) == (600 if client == "messages" else 1000)
        assert cached in {None, 400}


def _usage(client: str, events: list[Any]) -> Any:
    if client == "completions":
        return events[-1]["usage"]
    if client == "responses":
        return events[-1]["response"]["usage"]
    first = next(event["message"]["usage"] for event in events if event["type"] == "message_start")
    return first | next(event["usage"] for event in events if event["type"] == "message_delta")


def _calls(client: str, reply: Reply) -> list[tuple[str, Any]]:
    """The calls of a streamed answer."""
    return [(name, json.loads(arguments)) for name, arguments in _CALLS[client](reply.events)]


def _chat_calls(events: list[Any]) -> list[tuple[str, Any]]:
    pieces = [
        piece
        for event in events
        for choice in event.get("choices", ())
        for piece in choice["delta"].get("tool_calls") or ()
    ]
    names = {piece["index"]: piece["function"]["name"] for piece in pieces if piece["function"].get("name")}
    return [
        (name, "".join(piece["function"].get("arguments") or "" for piece in pieces if piece["index"] == index))
        for index, name in names.items()
    ]


def _message_calls(events: list[Any]) -> list[tuple[str, Any]]:
    started = {
        event["index"]: event["content_block"]["name"]
        for event in events
        if event["type"] == "content_block_start" and event["content_block"]["type"] == "tool_use"
    }
    pieces = [event for event in events if event["type"] == "content_block_delta"]
    return [
        (name, "".join(each["delta"].get("partial_json", "") for each in pieces if each["index"] == index))
        for index, name in started.items()
    ]


def _items(response: Any) -> list[tuple[str, Any]]:
    return [(item["name"], item["arguments"]) for item in response["output"] if item["type"] == "function_call"]


_CALLS = {
    "completions": _chat_calls,
    "messages": _message_calls,
    "responses": lambda events: _items(events[-1]["response"]),
}


@pytest.mark.parametrize("fault", ["unnumbered", "ok"])
async def test_a_stream_of_responses_without_numbers_is_mended(
    start: Start, upstream: FakeUpstream, fault: str
) -> None:
    """Strict SDKs refuse events without them; one that has them is passed on byte for byte."""
    gateway = await start(chain(speaking("responses", "a", upstream, fault)))
    reply = await gateway.ask("responses", stream=True)
    assert is_whole("responses", reply), reply.body
    assert [event["sequence_number"] for event in reply.events] == list(range(len(reply.events)))
    assert all("output_index" in event for event in reply.events if "item_id" in event)
    assert "translated" not in reply.decision
    assert (b'"id":"r1"' in reply.body) == (fault == "ok")


@pytest.mark.parametrize("second", ["prefill", "echo", "anew", "unnumbered"])
async def test_a_mended_stream_is_taken_up(start: Start, upstream: FakeUpstream, second: str) -> None:
    """The numbers go on, whoever takes it up."""
    gateway = await start(
        chain(speaking("responses", "a", upstream, "cut-unnumbered"), speaking("responses", "b", upstream, second))
    )
    reply = await gateway.ask("responses", stream=True)
    assert is_whole("responses", reply), reply.body
    assert [event["sequence_number"] for event in reply.events] == list(range(len(reply.events)))


@pairs
@pytest.mark.parametrize("kind", ["a\r\nset-cookie: s=1\r\n\r\nHTTP/1.1 200 OK", "x; answered=b/ok", "é😀", "y" * 9000])
async def test_words_of_a_request_never_shape_a_header(
    start: Start, upstream: FakeUpstream, client: str, target: str, kind: str
) -> None:
    """What a client calls its parts, tools and fields is told as a word of ours, or quoted and short."""
    gateway = await start(chain(speaking(target, "a", upstream)))
    part = {"role": "user", "content": [{"type": kind}]}
    turns = {"input" if client == "responses" else "messages": [part]}
    for more in (turns, {"tools": [{"type": kind, "name": kind}]}, {kind: "b"}):
        reply = await gateway.ask(client, **more)
        assert reply.fields.keys() <= {
            "date", "content-type", "content-length", "x-pointsman-decision", "x-request-id", "connection",
            "retry-after", "cache-control", "transfer-encoding",
        }  # fmt: skip
        assert reply.decision.isascii()
        assert len(reply.decision) < 4096
        assert reply.decision.count("answered=") == (reply.status == 200)
