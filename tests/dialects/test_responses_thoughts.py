"""What was thought in earlier turns, on its way to a Responses target through the passthrough."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from dialects.responses_speech import LAW, MODEL, OPENAI, PLAIN, REQUESTS, raw
from pointsman.dialects import errors, responses, seals
from pointsman.exchange import FailureKind
from pointsman.names import Dialect
from pointsman.neutral import Seal

Json = Any
SUMMARY = [{"type": "summary_text", "text": "hm"}]
HI = {"type": "message", "role": "user", "content": "hi"}
OWN = {"id": "rs_1", "encrypted_content": "gAAA", "summary": SUMMARY}


def thought(sealed: str | None = None, **more: Json) -> Json:
    return {"type": "reasoning", "summary": SUMMARY, **({"encrypted_content": sealed} if sealed else {}), **more}


def packed(seal: Seal) -> str:
    return str(seals.write(Dialect.RESPONSES, seal))


def sent(*items: Json, provider: Any = OPENAI) -> Json:
    """The items that a target gets."""
    body, _ = responses.with_model(raw({"model": "m", "input": [HI, *items]}), MODEL, provider)
    return msgspec.json.decode(body)["input"][1:]


MINE = packed(Seal(Dialect.RESPONSES, OWN, "openai"))
OTHERS = packed(Seal(Dialect.MESSAGES, "sig", "anthropic"))


@pytest.mark.parametrize(
    ("item", "kept"),
    [
        (thought("gAAA", id="rs_1"), thought("gAAA", id="rs_1")),
        (thought(id="rs_stored"), thought(id="rs_stored")),
        (thought(MINE, id="rs_other"), {"type": "reasoning", **OWN}),
        (thought(OTHERS), None),
        (thought(packed(Seal(Dialect.RESPONSES, OWN, "azure"))), None),
        (thought(packed(Seal(Dialect.RESPONSES, "text", "openai"))), None),
        (thought("pm1.what"), None),
        (thought(), None),
        (thought(id="rs_" + "0" * 44), None),
        (thought(id="rs_1", content=[{"type": "reasoning_text", "text": "hm"}]), None),
    ],
)  # fmt: skip
def test_openai_gets_what_it_can_read(item: Json, kept: Json | None) -> None:
    """What others sealed, and what was thought aloud, stays here."""
    assert sent(item) == ([] if kept is None else [kept])


def test_other_servers_get_the_words() -> None:
    """They check nothing, and a model may want its thoughts back; what is ours to read is of no use to them."""
    aloud = thought(id="rs_1", content=[{"type": "reasoning_text", "text": "hm"}])
    assert sent(aloud, provider=PLAIN) == [aloud]
    assert sent(thought(OTHERS, id="rs_1"), provider=PLAIN) == [thought(id="rs_1")]
    assert sent({"type": "reasoning", "summary": [], "encrypted_content": OTHERS}, provider=PLAIN) == []


@LAW
@given(REQUESTS)
def test_all_else_is_passed_on_as_it_came(request: Json) -> None:
    """Byte for byte."""
    fields = raw(request)
    body, _ = responses.with_model(fields, MODEL, PLAIN)
    assert msgspec.json.decode(body, type=dict[str, Raw])["input"] == fields["input"]


def test_all_reasoning_is_taken_out_when_it_is_refused() -> None:
    """To ask once more: what it belonged to is no item that OpenAI knows any more."""
    call = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"}
    result = {"type": "function_call_output", "id": "o", "call_id": "c", "output": "1"}
    stored = {"type": "item_reference", "id": "rs_9"}
    fields = raw({"model": "m", "input": [HI, thought("gAAA", id="rs_1"), call, result, stored]})
    found = responses.without_reasoning(fields)
    assert found is not None
    left = {name: value for name, value in call.items() if name != "id"}
    assert msgspec.json.decode(found["input"]) == [HI, left, result]
    assert responses.without_reasoning(found) is None
    assert responses.without_reasoning(raw({"model": "m", "input": "hi"})) is None


@given(st.binary(max_size=20))
def test_what_cannot_be_read_is_left_to_the_target(data: bytes) -> None:
    """It will say what is wrong."""
    fields = {"input": Raw(data + b'"type":"reasoning","encrypted_content":"pm1.')}
    assert responses.without_reasoning(fields) is None
    assert responses.with_model({"model": Raw(b'"m"'), **fields}, MODEL, OPENAI)[0].find(b"pm1.") > 0


@pytest.mark.parametrize(
    ("status", "message", "refused"),
    [
        (400, "The encrypted content gAAA...DQ== could not be verified.", True),
        (400, "The encrypted content for item rs_037e could not be verified.", True),
        (400, "Item 'rs_1' of type 'reasoning' was provided without its required following item.", True),
        (400, "Item 'fc_1' of type 'function_call' was provided without its required 'reasoning' item: 'rs_1'.", True),
        (404, "Item with id 'rs_1' not found. Items are not persisted when `store` is set to false.", True),
        (400, "Previous response with id 'resp_1' not found.", False),
        (404, "The model `gpt-9` does not exist or you do not have access to it.", False),
    ],
)  # fmt: skip
def test_refused_reasoning_is_known_by_its_words(status: int, message: str, refused: bool) -> None:
    """Of all that OpenAI answers so; and it says nothing against the target."""
    assert errors.seal_refused(message) is refused
    if refused:
        body = msgspec.json.encode({"error": {"message": message, "type": "invalid_request_error", "code": None}})
        assert errors.read_error(status, body).kind is FailureKind.BAD_REQUEST
