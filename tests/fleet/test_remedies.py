"""What is found in answers becomes checks, each with what to do: the rules alone, without a server."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.api.provider import ModelEntry
from pointsman.fleet import questions, remedies, remedies_answers
from pointsman.fleet.diagnosis import Asked, Check, Grade, Patient, patient
from pointsman.fleet.questions import Speech
from pointsman.fleet.replies import Reply
from pointsman.fleet.world import read_provider
from pointsman.names import Dialect, Location, ProviderType
from pointsman.served import Answer, Finding, ServedModel

BOX = Patient("box", ProviderType.VLLM, "http://127.0.0.1:8000", (Dialect.CHAT,))
FAR = dataclasses.replace(BOX, url="http://192.168.1.9:8000")
REASONS = (
    "ConnectionRefused", "DNSFailure", "TLSFailure", "Timeout", "ConnectionReset", "Unauthorized", "Forbidden",
    "QuotaExceeded", "RateLimited", "NotFound", "ServerError", "ModelLoading", "NotOpenAICompatible",
    "UnexpectedStatus",
)  # fmt: skip


def found(*models: ServedModel) -> Finding:
    return Finding(ok=True, models=models)


def failed(reason: str, message: str = "") -> Finding:
    return Finding(ok=False, reason=reason, message=message)


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("kind", ProviderType)
def test_every_reason_has_a_remedy(reason: str, kind: ProviderType) -> None:
    """Of its own kind of server, with the line that shows what is the matter."""
    check = remedies.reached(dataclasses.replace(BOX, type=kind), failed(reason, "why"))
    assert check.grade is Grade.BROKEN
    assert check.text == f"{reason}: why"
    assert check.remedy.endswith("look: curl http://127.0.0.1:8000/v1/models")


def test_the_curl_line_sends_a_key_without_showing_it() -> None:
    """From a variable, where the provider has one."""
    check = remedies.reached(dataclasses.replace(BOX, keyed=True), failed("Unauthorized"))
    assert "the key is wrong" in check.remedy
    assert 'curl -H "Authorization: Bearer $KEY" http://' in check.remedy


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", "write http://"),
        ("[SSL] record layer failure", "write http://"),
        ("self-signed certificate", "spec.endpoint.tls.caBundle"),
    ],
)
def test_tls_that_fails(message: str, remedy: str) -> None:
    """A server that speaks none is told from one whose certificate is unknown."""
    assert remedy in remedies.reached(BOX, failed("TLSFailure", message)).remedy


@given(st.text(), st.lists(st.text(max_size=12), max_size=6))
def test_a_model_is_listed_or_what_is_there_is_named(model: str, ids: list[str]) -> None:
    """Whatever names there are; an empty list names none."""
    check = remedies.listed(BOX, found(*map(ServedModel, ids)), model)
    assert (check.grade is Grade.WELL) == (model in ids)
    assert check.grade is Grade.WELL or not ids or any(each in check.remedy for each in ids)


def test_ollama_lists_models_with_their_tag() -> None:
    """A name without one means :latest."""
    ollama = dataclasses.replace(BOX, type=ProviderType.OLLAMA)
    assert remedies.listed(ollama, found(ServedModel("qwen3:latest")), "qwen3").grade is Grade.WELL
    assert remedies.listed(BOX, found(ServedModel("qwen3:latest")), "qwen3").grade is Grade.BROKEN


@given(st.integers(0, 200_000), st.integers(0, 200_000))
def test_windows_by_the_limits_of_agents(told: int, stated: int) -> None:
    """Unknown, too much stated, under 16k, under 32k, large enough: in this order."""
    models = {"m": ModelEntry(id="m", context_window=stated or None)}
    ill = dataclasses.replace(BOX, models=models)
    grade = remedies.window(ill, ServedModel("m", context_window=told), "m").grade
    size = stated or told
    if told and stated > told:
        assert grade is Grade.BROKEN
    elif not size or 16_000 <= size < 32_000:
        assert grade is Grade.WARNING
    else:
        assert grade is (Grade.BROKEN if size < 16_000 else Grade.WELL)


@pytest.mark.parametrize(("seconds", "grade"), [(9.9, Grade.WELL), (10.0, Grade.WARNING)])
def test_a_slow_first_answer_is_a_cold_start(seconds: float, grade: Grade) -> None:
    """Where the server does not tell whether the model is loaded."""
    first = Asked(Answer(200), seconds)
    check = remedies.loaded(BOX, ServedModel("m"), first, slow=10.0)
    assert check.grade is grade
    assert f"{seconds:.1f} s" in check.text


@pytest.mark.parametrize(
    ("who", "status", "grade"),
    [
        (BOX, 401, Grade.WELL),
        (BOX, 200, Grade.WELL),
        (FAR, 401, Grade.WELL),
        (FAR, 200, Grade.WARNING),
        (FAR, 500, Grade.NOTE),
        (FAR, 0, Grade.NOTE),
    ],
)
def test_a_server_that_takes_any_key(who: Patient, status: int, grade: Grade) -> None:
    """Is a risk where others reach it, and none on this machine."""
    check = remedies.key(who, Asked(Answer(status)))
    assert check.grade is grade
    assert grade is not Grade.WARNING or "--api-key" in check.remedy


@pytest.mark.parametrize(
    ("url", "grade"),
    [
        ("http://127.0.0.1:1", Grade.WELL),
        ("http://[::1]:1", Grade.WELL),
        ("http://localhost:1", Grade.WELL),
        ("http://gpu.local:1", Grade.WARNING),
        ("http://8.8.8.8", Grade.WARNING),
        ("HTTPS://gpu.local", Grade.WELL),
    ],
)
def test_clear_text_over_a_network(url: str, grade: Grade) -> None:
    """Prompts go by it, and the key if there is one."""
    check = remedies.posture(dataclasses.replace(BOX, url=url, keyed=True))
    assert check.grade is grade
    assert grade is Grade.WELL or "the key and all prompts" in check.text


@pytest.mark.parametrize(
    ("model", "weak"),
    [
        ("llama3.2:1b", True), ("gemma-3-4b-it", True), ("Qwen3-8B", True), ("phi-1.5b", True), ("qwen3-0.6b", True),
        ("qwen3-14b", False), ("qwen3-30b-a3b", False), ("mixtral-8x7b", False), ("llama-3.3-70b", False),
        ("llama-3.3-70b-q2_k", True), ("big-iq3_xxs", True), ("big-4bit", True), ("big-int4", True),
        ("big-q8_0", False),        ("minimax-m2.1-gs32", False), ("gpt-oss-120b", False), ("claude-opus-4-6", False),
        ("q4-report-model-x", True),
    ],
)  # fmt: skip
def test_small_and_coarse_models_by_their_names(model: str, weak: bool) -> None:
    """A warning at most, and none where no tools are given."""
    check = remedies.strength(BOX, model)
    assert (check is not None) is weak
    assert check is None or check.grade is Grade.WARNING
    bare = {model: ModelEntry(id=model, compat={"supportsTools": False})}
    assert remedies.strength(dataclasses.replace(BOX, models=bare), model) is None


def test_faults_are_one_short_line() -> None:
    """Whatever the server wrote."""
    body = msgspec.json.encode({"error": {"message": "bad\n\x1b[31m" + "x" * 1000}})
    fault = Asked(Answer(400, body)).fault
    assert fault.startswith("400: bad [31mx")
    assert len(fault) < 200
    assert fault.isprintable()
    assert Asked(Answer(0, error="Timeout", message="no whole answer")).fault == "no whole answer"


@given(st.sampled_from(Dialect), st.integers(0, 600), st.binary(max_size=200))
def test_any_answer_makes_checks_with_remedies(dialect: Dialect, status: int, body: bytes) -> None:
    """Nothing that a server says raises, and what is not well says what to do."""
    asked = Asked(Answer(status, body, error="" if status else "ConnectionReset"))
    speech = Speech(dialect, "m")
    checks: list[Check] = [
        remedies_answers.spoken(BOX, "m", dict.fromkeys(Dialect, asked)),
        remedies_answers.content(BOX, "m", asked, dialect),
        remedies_answers.tools(BOX, "m", dialect, asked, None),
        remedies_answers.limit(BOX, "m", {"max_tokens": asked, "max_completion_tokens": asked}),
        remedies_answers.developer(BOX, "m", asked),
        remedies_answers.overflow(BOX, speech, 100, asked),
        remedies.key(FAR, asked),
    ]
    assert all(check.remedy for check in checks if check.grade in {Grade.WARNING, Grade.BROKEN})


@pytest.mark.parametrize("dialect", Dialect)
def test_questions_are_small_and_say_what_is_asked(dialect: Dialect) -> None:
    """Each limits its answer, in its dialect's words; twelve tools have twelve names."""
    speech = Speech(dialect, "m")
    bodies = [questions.tiny(speech), questions.parts(speech), questions.with_tools(speech), questions.streamed(speech)]
    for body in map(msgspec.json.decode, bodies):
        limits = [body[name] for name in ("max_tokens", "max_output_tokens") if name in body]
        assert body["model"] == "m"
        assert len(limits) == 1
        assert limits[0] <= 64
    tools = msgspec.json.decode(questions.with_tools(speech))["tools"]
    assert len({str(tool) for tool in tools}) == len(tools) == 12
    assert len(questions.long(speech, 500).split()) >= 500


@pytest.mark.parametrize(
    ("spec", "location"),
    [
        ({"type": "VLLM", "endpoint": {"baseUrl": "http://10.0.0.1/v1"}}, Location.ON_PREMISES),
        ({"type": "VLLM", "endpoint": {"baseUrl": "https://example.com/v1"}}, Location.EXTERNAL),
        ({"type": "Anthropic", "endpoint": {"baseUrl": "http://10.0.0.1"}}, Location.EXTERNAL),
        (
            {"type": "Anthropic", "endpoint": {"baseUrl": "http://h/v1"}, "dataPolicy": {"location": "OnPremises"}},
            Location.ON_PREMISES,
        ),
    ],
)
def test_where_a_patient_is(spec: dict[str, object], location: Location) -> None:
    """What is stated counts, else its vendor, else its address: tokens of others cost money."""
    found = patient(read_provider({"metadata": {"name": "p"}, "spec": spec}), keyed=False)
    assert found is not None
    assert found.location is location
    assert not found.url.endswith("/v1")


def test_who_is_no_patient() -> None:
    """A provider that the operator deploys, and one that cannot be read."""
    deployed = {"type": "VLLM", "deploy": {"model": {"source": "hf://a/b"}}}
    assert patient(read_provider({"metadata": {"name": "p"}, "spec": deployed}), keyed=False) is None
    assert patient(read_provider({"metadata": {"name": "p"}, "spec": {"type": "?"}}), keyed=False) is None


@pytest.mark.parametrize(
    ("asked", "told", "grade"),
    [
        ("tiny", "other", Grade.BROKEN), ("tiny", "gpt-5.5", Grade.WARNING), ("tiny", "tiny", None), ("tiny", "", None),
        ("gpt-5", "gpt-5-2026-08-07", None), ("tiny", "/models/Tiny.gguf", None), ("tiny:latest", "tiny", None),
        ("org/tiny", "tiny", None), ("tiny", "C:\\m\\tiny.gguf", None),
    ],
)  # fmt: skip
def test_whose_answer_it_is(asked: str, told: str, grade: Grade | None) -> None:
    """One that the server lists is broken, an unknown one a warning, another spelling of the same is none."""
    check = remedies_answers.substituted(asked, Reply(model=told), ["other"])
    assert (check.grade if check else None) is grade
    assert check is None or told in check.text
