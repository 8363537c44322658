"""What a model's server does not take, through the whole gateway."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.conftest import DIALECTS, FAST, Start, chain, provider
from gateway.fakeupstream import TEXT, FakeUpstream
from pointsman.table import Model, Policy

TOOLS = {
    "completions": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
    "responses": [{"type": "function", "name": "look", "parameters": {"type": "object"}}],
    "messages": [{"name": "look", "input_schema": {"type": "object"}}],
}
CALLED: dict[str, dict[str, Any]] = {
    "completions": {"messages": [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": None,
         "tool_calls": [{"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "x"},
    ]},
    "responses": {"input": [
        {"role": "user", "content": "hello"},
        {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "x"},
    ]},
    "messages": {"messages": [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "look", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "x"}]},
    ]},
}  # fmt: skip


def served(**compat: Any) -> tuple[Model]:
    return (Model(id="ok", compat=compat),)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_tools_are_dropped_where_the_route_says_so(start: Start, upstream: FakeUpstream, dialect: str) -> None:
    """And named; a conversation in which some were called is not told without them, and goes to nobody."""
    toolless = provider("p", upstream, models=served(supportsTools=False))
    gateway = await start(chain(toolless, policy=Policy(timeouts=FAST.timeouts, drop_tools=True)))
    reply = await gateway.ask(dialect, tools=TOOLS[dialect])
    assert (reply.status, reply.text) == (200, TEXT)
    assert reply.decision == "assistant; answered=p/ok; attempts=1; dropped=tools"
    assert "tools" not in upstream.seen[0].body
    again = await gateway.ask(dialect, tools=TOOLS[dialect], **CALLED[dialect])
    assert (again.status, again.decision) == (400, "assistant; attempts=0; passed=p/ok:tools")
    assert len(upstream.seen) == 1
    strict = await start(chain(toolless))
    for asked in ({"tools": TOOLS[dialect]}, CALLED[dialect]):
        assert (await strict.ask(dialect, **asked)).decision.endswith("passed=p/ok:tools")


async def test_functions_of_old_are_tools(start: Start, upstream: FakeUpstream) -> None:
    """Chat's `functions`: passed over, or left out and named."""
    old = {"functions": [{"name": "look", "parameters": {"type": "object"}}], "function_call": "auto"}
    toolless = provider("p", upstream, models=served(supportsTools=False))
    assert (await (await start(chain(toolless))).ask(**old)).decision.endswith("passed=p/ok:tools")
    lenient = await start(chain(toolless, policy=Policy(timeouts=FAST.timeouts, drop_tools=True)))
    reply = await lenient.ask(**old)
    assert reply.decision == "assistant; answered=p/ok; attempts=1; dropped=function_call,functions"
    assert not upstream.seen[0].body.keys() & old.keys()


async def test_lm_studio_is_told_not_to_keep_an_answer(start: Start, upstream: FakeUpstream) -> None:
    """As the client says it: silence would mean that it does."""
    gateway = await start(chain(provider("p", upstream, type="LMStudio")))
    reply = await gateway.ask("responses", store=False)
    assert (reply.status, upstream.seen[0].body["store"]) == (200, False)


async def test_each_target_is_sent_what_its_model_takes(
    start: Start, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    """After a failure the next one is sent the request in its own way, from what the client sent."""
    first = Model(id="status-500", reasoning=True, compat={"thinkingFormat": "qwen", "maxTokensField": "max_tokens"})
    other = Model(id="ok", compat={"supportsDeveloperRole": False, "requiresStringContent": True})
    gateway = await start(chain(provider("a", upstream, models=(first,)), provider("b", second, models=(other,))))
    said = [{"role": "developer", "content": [{"type": "text", "text": "be"}, {"type": "text", "text": "brief"}]}]
    reply = await gateway.ask(messages=said, reasoning_effort="low", max_completion_tokens=5)
    assert reply.decision.endswith("passed=a/status-500:ServerError; dropped=reasoning_effort")
    sent = upstream.seen[0].body
    assert (sent["messages"], sent["enable_thinking"], sent["max_tokens"]) == (said, True, 5)
    assert "reasoning_effort" not in sent
    sent = second.seen[0].body
    assert sent["messages"] == [{"role": "system", "content": "be\nbrief"}]
    assert sent["max_completion_tokens"] == 5
    assert "enable_thinking" not in sent


async def test_lm_studio_keeps_a_model(start: Start, upstream: FakeUpstream) -> None:
    """It is told with each request."""
    gateway = await start(chain(provider("p", upstream, type="LMStudio", keep_alive=1800.0)))
    await gateway.ask()
    await gateway.ask("messages")
    assert [seen.body.get("ttl") for seen in upstream.seen] == [1800, None]
