"""Fields of a request beside its conversation: knobs, marks and hints, of which each vendor has others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from differential.facts import Fact, asked, has, lacks
from differential.topics import CHAT, MESSAGES, RESPONSES, WHOLE, Topic
from matrix.cases import asking
from matrix.speech import Ask

Json = Any
_HI: Final = asking("Tell me of the yard.")


def _field(name: str, title: str, client: str, field: Json, *facts: Fact, **more: Any) -> Topic:
    given = {"by_facts": True, "modes": WHOLE, "clients": (client,), **more}
    ask: Ask = given.pop("ask", _HI)
    return Topic(name, title, replace(ask, more=field), facts=facts, **given)


KNOBS: Final = (
    _field("logprobs", "log probabilities", CHAT, {"logprobs": True, "top_logprobs": 2},
           has("they are asked for, which takes an `include`", "message.output_text.logprobs"),
           may_refuse=True),
    _field("hot", "a temperature above 1", CHAT, {"temperature": 1.5},
           asked("none above 1", lambda b: b.get("temperature", 1) <= 1), backends=(MESSAGES,), may_refuse=True),
    _field("both-knobs", "temperature and top_p", CHAT, {"temperature": 0.5, "top_p": 0.9},
           asked("one of the two, as Claude 4.1 and later refuse both", lambda b: len({"temperature", "top_p"} & {*b})
                 == 1), backends=(MESSAGES,), may_refuse=True),
    _field("seed", "a seed", CHAT, {"seed": 7}, lacks("it is left out where nobody has it", '"seed"'),
           backends=(RESPONSES, MESSAGES)),
    _field("penalties", "penalties", CHAT, {"presence_penalty": 0.5, "frequency_penalty": 0.1},
           lacks("they are left out where nobody has them", "penalty"), backends=(RESPONSES, MESSAGES)),
    _field("top-k", "top_k", MESSAGES, {"extra_body": {"top_k": 5}},
           lacks("it is left out, as OpenAI refuses it", "top_k")),
    _field("old-limit", "`max_tokens` in chat", CHAT, {"max_tokens": 77},
           asked("the limit is 77", lambda b: b.get("max_output_tokens", b.get("max_tokens")) == 77),
           backends=(RESPONSES, MESSAGES), ask=replace(_HI, max_tokens=None)),
    _field("small-limit", "fewer tokens than Responses takes", MESSAGES, {"max_tokens": 1},
           asked("16 or more, or none", lambda b: b.get("max_output_tokens", 16) >= 16), backends=(RESPONSES,),
           may_refuse=True),
    _field("any-json", "any JSON object", CHAT, {"response_format": {"type": "json_object"}},
           Fact("it is asked for", lambda seen: any(word in seen.text for word in ("json_object", "json_schema",
                "json_tool_call"))), may_refuse=True),
    _field("many-stops", "five stop sequences", MESSAGES, {"stop_sequences": ["a", "b", "c", "d", "e"]},
           asked("not more than OpenAI's four", lambda b: len(b["stop"]) <= 4 and len(b["stop"]) == 5),
           backends=(CHAT,), may_refuse=True),
    _field("blank-stop", "a stop sequence of white space", CHAT, {"stop": ["\n"]},
           asked("it is left out, as Anthropic refuses it", lambda b: not b.get("stop_sequences")),
           backends=(MESSAGES,), may_refuse=True),
    _field("user", "the end user's name", CHAT, {"user": "u-1"},
           has("it is told", "u-1")),
    _field("user-id", "the end user's name", MESSAGES, {"metadata": {"user_id": "u-1"}},
           has("it is told", "u-1")),
    _field("metadata", "metadata", CHAT, {"metadata": {"a": "beech"}},
           has("OpenAI, which has them in both its dialects, gets them", "beech"), backends=(RESPONSES,)),
    _field("metadata-here", "metadata", RESPONSES, {"metadata": {"a": "beech"}},
           has("OpenAI, which has them in both its dialects, gets them", "beech"), backends=(CHAT,)),
    _field("foreign-knobs", "store, metadata, service_tier and a cache key of OpenAI's", CHAT,
           {"store": True, "metadata": {"a": "beech"}, "service_tier": "flex", "prompt_cache_key": "k1"},
           lacks("Anthropic is not asked for them", "beech", "flex", "k1", '"store"'), backends=(MESSAGES,)),
    _field("tier", "a service tier", CHAT, {"service_tier": "flex"},
           asked("it is asked for", lambda b: b["service_tier"] == "flex"), backends=(RESPONSES,)),
    _field("tier-here", "a service tier", RESPONSES, {"service_tier": "flex"},
           asked("it is asked for", lambda b: b["service_tier"] == "flex"), backends=(CHAT,)),
    _field("cache-key", "a key for OpenAI's cache", CHAT, {"prompt_cache_key": "k1"},
           asked("it is told", lambda b: b["prompt_cache_key"] == "k1"), backends=(RESPONSES,)),
    _field("verbosity", "verbosity", CHAT, {"verbosity": "low"},
           has("it is asked for", "verbosity"), reasons=True, backends=(RESPONSES,)),
    _field("verbosity-here", "verbosity", RESPONSES, {"text": {"verbosity": "low"}},
           has("it is asked for", "verbosity"), reasons=True, backends=(CHAT,)),
    _field("state", "an answer to go on from", RESPONSES, {"previous_response_id": "resp_unknown"},
           Fact("an answer that nobody knows is refused", lambda seen: seen.last.status in {400, 404}),
           may_refuse=True),
    _field("cache-marks", "marks for Anthropic's cache", MESSAGES,
           {"system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]},
           has("the words are there", "Be brief."), lacks("OpenAI is not shown the marks", "cache_control")),
    _field("cache-marks-here", "marks for Anthropic's cache in chat", CHAT, {"messages": [
               {"role": "system", "content": [
                   {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]},
               {"role": "user", "content": "Hello."}]},
           has("Anthropic is shown the marks", "cache_control"), backends=(MESSAGES,)),
)  # fmt: skip
