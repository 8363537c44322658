"""Request bodies: read once, refused clearly, written back with every other byte as it came."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman import dialects
from pointsman.dialects import body as bodies
from pointsman.dialects import chat, messages, responses
from pointsman.exchange import BadRequestError
from pointsman.table import Model, Provider

MODULES = [chat, responses, messages]
PROVIDER = Provider(name="p", type="VLLM", base_url="http://x", api=("openai-completions",))
NATIVE = Provider(name="n", type="OpenAI", base_url="http://x", api=("openai-completions",), native=True)
MODEL = Model(id="real/name")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=6), JSON, max_size=6), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_only_the_model_changes(fields: dict[str, Any], indent: Any, ascii_only: bool) -> None:
    """Every top-level value but the model's is written back byte for byte."""
    fields = {**fields, "model": "asked"}
    text = json.dumps(fields, indent=indent, ensure_ascii=ascii_only).encode()
    read = bodies.read_fields(text)
    again = bodies.read_fields(chat.with_model(read, MODEL, NATIVE)[0])
    assert {name: bytes(raw) for name, raw in again.items() if name != "model"} == {
        name: bytes(raw) for name, raw in read.items() if name != "model"
    }
    assert json.loads(bytes(again["model"])) == "real/name"


@given(st.lists(st.sampled_from(["a", "b", "c", "model"]), min_size=1, max_size=6), st.sampled_from(["", " ", "\n  "]))
def test_a_key_given_twice_is_refused_and_only_then(names: list[str], space: str) -> None:
    """Readers differ in which of two values they believe, so two are refused, with white space and without."""
    members = f",{space}".join(f'"{name}":{space}{i}' for i, name in enumerate(names))
    body = f"{{{space}{members}{space}}}".encode()
    if len(set(names)) == len(names):
        assert list(bodies.read_fields(body)) == names
    else:
        with pytest.raises(BadRequestError, match="given twice"):
            bodies.read_fields(body)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not JSON"), (b"{bad", "not JSON"), (b"[]", "must be a JSON object"), (b'"x"', "must be a JSON object"),
        (b"{}", "'model' is missing"), (b'{"model":""}', "non-empty string"), (b'{"model":3}', "non-empty string"),
        (b'{"model":null}', "non-empty string"), (b'{"model":"m","stream":"yes"}', "true or false"),
        (b'{"model":"m","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deep"),
        (b'{"model":"m"} {"model":"n"}', "not JSON"), (b"\xff\xfe", "not JSON"), (b'{"model":"m","a":NaN}', "not JSON"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dialect", MODULES)
def test_what_is_no_request_is_refused_with_the_reason(dialect: dialects.Wire, body: bytes, says: str) -> None:
    """Bad input gets an error that says what is wrong."""
    with pytest.raises(BadRequestError, match=says):
        dialect.read_head(body)


@pytest.mark.parametrize("dialect", MODULES)
def test_reads_what_the_gateway_needs(dialect: dialects.Wire) -> None:
    """Model, stream, tools."""
    head = dialect.read_head(b'{"model":"m","stream":true,"tools":[{"type":"function"}]}')
    assert (head.model, head.stream, head.needs) == ("m", True, 1)
    plain = dialect.read_head(b'{"tools":[],"stream":null,"model":"m"}')
    assert (plain.stream, plain.needs) == (False, 0)


@pytest.mark.parametrize(
    ("dialect", "fields"),
    [
        (
            chat,
            [
                "service_tier",
                "store",
                "metadata",
                "prompt_cache_key",
                "reasoning_effort",
                "prompt_cache_retention",
                "prompt_cache_options",
                "moderation",
                "safety_identifier",
                "verbosity",
            ],
        ),
        (
            responses,
            [
                "service_tier",
                "store",
                "prompt_cache_key",
                "reasoning",
                "include",
                "moderation",
                "prompt_cache_retention",
                "prompt_cache_options",
                "access_programs",
                "context_management",
            ],
        ),
        (messages, ["service_tier", "metadata", "thinking"]),
    ],
)
def test_only_the_vendor_itself_gets_its_own_fields(dialect: dialects.Wire, fields: list[str]) -> None:
    """Proxied backends get clean requests; the native vendor gets all; a model that reasons is told how to."""
    head = dialect.read_head(json.dumps({"model": "m", "temperature": 1, **dict.fromkeys(fields, "x")}).encode())
    body, dropped = dialect.with_model(head.fields, MODEL, PROVIDER)
    clean = json.loads(body)
    native = json.loads(dialect.with_model(head.fields, MODEL, NATIVE)[0])
    reasons = json.loads(dialect.with_model(head.fields, Model(id="r", reasoning=True), PROVIDER)[0])
    assert dropped == tuple(sorted(fields))
    assert dialect.with_model(head.fields, MODEL, NATIVE)[1] == ()
    assert clean == {"model": "real/name", "temperature": 1}
    assert native == {"model": "real/name", "temperature": 1, **dict.fromkeys(fields, "x")}
    assert set(reasons) - set(clean) <= {"reasoning_effort", "reasoning", "include", "thinking"}
    assert len(reasons) > len(clean)


def test_what_asked_for_nothing_is_no_loss() -> None:
    """`store: false` says what chat's servers without a store do anyway: it is left out, and not named."""
    head = chat.read_head(b'{"model":"m","store":false,"metadata":{},"service_tier":null,"prompt_cache_key":"k"}')
    body, dropped = chat.with_model(head.fields, MODEL, PROVIDER)
    assert (json.loads(body), dropped) == ({"model": "real/name"}, ("prompt_cache_key",))


def test_requires_string_content_joins_text_parts() -> None:
    """A server that takes only strings gets the texts joined; messages with other parts stay as they are."""
    image = [{"type": "image_url", "image_url": {"url": "data:"}}]
    said = [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "user", "content": image}, {"role": "user", "content": "c"}]  # fmt: skip
    head = chat.read_head(json.dumps({"model": "m", "messages": said}).encode())
    model = Model(id="m", compat={"requiresStringContent": True})
    sent = json.loads(chat.with_model(head.fields, model, PROVIDER)[0])
    assert [message["content"] for message in sent["messages"]] == ["a\nb", image, "c"]


def test_paths_with_and_without_v1() -> None:
    """Clients put /v1 into the base URL or leave it out."""
    for dialect, module in dialects.ALL.items():
        assert dialects.for_path(module.PATH) is dialects.for_path(module.PATH[3:]) is dialect
    assert dialects.for_path("/v1/images") is None
