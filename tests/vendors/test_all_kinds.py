"""Every kind, ours and others', against whatever a server may say."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman import engines, vendors
from pointsman.fleet.reasons import REASONS
from pointsman.names import ProviderType
from pointsman.served import Answer, Finding, Kind

KINDS = {**engines.ALL, **vendors.ALL}
# What readers look for, so that they find it, filled with anything.
WORDS = st.sampled_from(
    [
        *("data", "models", "id", "key", "name", "parent", "type", "meta", "state", "status", "value", "error"),
        *("max_model_len", "context_length", "max_input_tokens", "max_tokens", "n_ctx", "limit_remaining"),
        *("model_name", "model_info", "loaded_instances", "config", "capabilities", "vision", "supported"),
        *("thinking", "image_input", "top_provider", "architecture", "input_modalities", "supported_parameters"),
        *("default_generation_settings", "loaded", "embedding", "no_db_connection"),
        *("digest", "parameters", "num_ctx   7", "general.architecture", "llama", "llama.context_length", "tools"),
    ]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | WORDS
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=6),
    max_leaves=30,
)
LISTS = st.fixed_dictionaries({}, optional={"data": st.lists(JSON, max_size=5), "models": st.lists(JSON, max_size=5)})
BODIES = st.binary(max_size=60) | (JSON | LISTS).map(lambda value: json.dumps(value).encode())
ANSWERS = st.builds(
    Answer,
    status=st.sampled_from([0, 200, 200, 200, 201, 204, 301, 400, 401, 402, 403, 404, 405, 418, 429, 500, 503, 999]),
    body=BODIES,
    content_type=st.text(max_size=10),
    error=st.sampled_from(["Timeout", "ConnectionRefused", "TLSFailure"]),
    message=st.text(st.characters(codec="utf-8"), max_size=20),
)


def check(found: Finding) -> None:
    assert found.ok == (found.reason == "")
    assert found.ok or found.reason in REASONS
    found.message.encode()
    ids = [model.id for model in found.models]
    assert all(0 < len(each) <= 256 for each in ids)
    assert len(set(ids)) == len(ids)
    assert all(0 <= n <= 10**9 for m in found.models for n in (m.context_window, m.max_tokens))
    assert all(each in {"text", "image", "video", "audio"} for model in found.models for each in model.input)
    assert all(model.reasoning in {None, True, False} and model.loaded in {None, True, False} for model in found.models)


def test_every_type_has_one_kind() -> None:
    """The two literal dictionaries divide the types between them."""
    assert not engines.ALL.keys() & vendors.ALL.keys()
    assert KINDS.keys() == set(ProviderType)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_read_gives_a_sound_finding_for_anything(kind: Kind, data: st.DataObject) -> None:
    """No answer raises, reasons are documented ones, ids are bounded and unique, counts are sensible."""
    answers: dict[str, Answer] = {path: data.draw(ANSWERS) for path in kind.paths}
    check(kind.read(answers))
    check(kind.read({kind.paths[0]: answers[kind.paths[0]]}))
    check(kind.read({}))


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.inquiry])
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_an_inquiry_is_sound_for_anything(name: ProviderType, data: st.DataObject) -> None:
    """Questions are JSON, each about another content; whatever is told of a listed model leaves a sound Finding."""
    kind = KINDS[name]
    assert kind.inquiry
    answers: dict[str, Answer] = {path: data.draw(ANSWERS) for path in kind.paths}
    asked = kind.inquiry.questions(answers)
    assert len({each.about for each in asked}) == len(asked)
    assert all(each.models and json.loads(each.body) for each in asked)
    found = kind.read(answers)
    told = {model.id: kind.inquiry.read(data.draw(ANSWERS)) for model in found.models}
    check(joined := kind.inquiry.join(found, {model: detail for model, detail in told.items() if detail}))
    assert [(model.id, model.loaded) for model in joined.models] == [(model.id, model.loaded) for model in found.models]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_bodies_made_to_hurt_do_not(kind: Kind) -> None:
    """Depth, width and long numbers, in the decisive answer and in the others."""
    hostile: list[Any] = [
        b"[" * 500_000,
        b'{"data":[' + b"9" * 5000 + b"]}",
        b'{"data":[{"id":"m"}],"x":1e999}',
        b"\xff" * 999,
    ]
    good = Answer(200, b'{"data":[{"id":"m"}]}')
    for body in hostile:
        check(kind.read({path: Answer(200, body) for path in kind.paths}))
        check(kind.read({path: Answer(200, body) for path in kind.paths} | {kind.paths[0]: good}))
        if kind.inquiry:
            detail = kind.inquiry.read(Answer(200, body))
            check(kind.inquiry.join(kind.read({kind.paths[0]: good}), {"m": detail} if detail else {}))
