"""Every ailment of the troubleshooting pages is found by asking, and its one-line remedy is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local.quirky import CHAT, MESSAGES, RESPONSES, QuirkyServer
from local.reports import Doctor, at, fleet
from testbed.llama import LlamaServer
from testbed.tinymodel import TinyModel


def test_a_server_without_quirks_is_well(doctor: Doctor) -> None:
    """Every check is made, none finds anything."""
    with QuirkyServer("calls") as server:
        report = doctor(*at(server, "--type", "LlamaCpp"))
    assert report.wrong() == {}
    assert report.status == 0
    assert set(report.grades()) == {
        "reachable", "transport", "answers", "window", "loaded", "key", "stream", "content", "developer", "limit",
        "tools",
    }  # fmt: skip


FOUND: dict[str, tuple[str, str, str, str]] = {
    # quirk: the check that finds it, its grade, a word of what is said, the remedy's key
    "string-content": ("content", "warning", "expected a string", "compat.requiresStringContent: true"),
    "no-tools": ("tools", "broken", "grammar too large", "compat.supportsTools: false"),
    "one-tool": ("tools", "broken", "one tool and not 12", "agents.defaults.experimental.localModelLean: true"),
    "context": ("tools", "broken", "do not fit", "localModelLean: true"),
    "calls-as-text": ("tools", "broken", "as text", "compat.supportsTools: false"),
    "no-stream": ("stream", "broken", "whole answer", "update the server"),
    "no-done": ("stream", "warning", "[DONE] is missing", "taken up elsewhere"),
    "no-usage": ("usage", "warning", "do not tell", "compat.supportsUsageInStreaming: false"),
    "error-in-stream": ("stream", "broken", "CUDA out of memory", "log"),
    "no-developer": ("developer", "warning", "unknown role", "compat.supportsDeveloperRole: false"),
    "refuses-max_tokens": ("limit", "warning", "refused", 'compat.maxTokensField: "max_completion_tokens"'),
    "refuses-max_completion_tokens": ("limit", "warning", "refused", 'compat.maxTokensField: "max_tokens"'),
    "ignores-max_completion_tokens": ("limit", "warning", "ignored", 'compat.maxTokensField: "max_tokens"'),
    "thinks": ("reasoning", "warning", "into the answer", "api: [openai-responses]"),
    "template": ("template", "warning", "<|im_end|>", "chat template"),
    "not-loaded": ("answers", "broken", "No models loaded", "load the model"),
}


@pytest.mark.parametrize("quirk", FOUND)
def test_a_quirk_is_found_with_its_remedy(quirk: str, doctor: Doctor) -> None:
    """And nothing else is: each quirk has one name."""
    name, grade, text, remedy = FOUND[quirk]
    with QuirkyServer(quirk) as server:
        report = doctor(*at(server))
    assert report.wrong() == {name: grade}
    assert text in report[name]["text"]
    assert remedy in report[name]["remedy"]
    assert report.status == (1 if grade == "broken" else 0)


DIALECTS = {CHAT: "openai-completions", RESPONSES: "openai-responses", MESSAGES: "anthropic-messages"}


def test_responses_events_without_numbers(doctor: Doctor) -> None:
    """As llama-server sends them: OpenAI's SDKs stumble over it, so another dialect is advised."""
    with QuirkyServer("unnumbered") as server:
        report = doctor(*at(server, "--type", "LiteLLM", "--hosted"))
    assert report.wrong()["stream"] == "warning"
    assert "openai-completions first in spec.api" in report["stream"]["remedy"]


@pytest.mark.parametrize("path", [RESPONSES, MESSAGES])
@pytest.mark.parametrize("quirk", ["no-done", "no-usage", "no-tools", "thinks"])
def test_other_dialects_are_examined_likewise(path: str, quirk: str, doctor: Doctor, tmp_path: Path) -> None:
    """A server that speaks no chat is asked for tools and streams in what it speaks."""
    name = FOUND[quirk][0]
    with QuirkyServer(quirk, paths=(path,)) as server:
        report = doctor(str(fleet(tmp_path, server.url, api=[DIALECTS[path]])), "--timeout", "5")
    assert set(report.wrong()) == {name}
    assert [at for at, _ in server.asked].count(CHAT) == 1


def test_a_dialect_that_is_stated_and_not_spoken(doctor: Doctor, tmp_path: Path) -> None:
    """Says which are spoken for real, as they would be written."""
    with QuirkyServer(paths=(CHAT, MESSAGES)) as server:
        report = doctor(str(fleet(tmp_path, server.url, api=["openai-responses"])))
    assert report["answers"]["grade"] == "broken"
    assert "spec.api: [openai-completions, anthropic-messages]" in report["answers"]["remedy"]
    assert "models.providers.box.api: openai-completions" in report["answers"]["remedy"]


def test_what_is_stated_already_is_well(doctor: Doctor, tmp_path: Path) -> None:
    """Quirks that the object tells of are no findings, and tools are not asked for."""
    compat = {"requiresStringContent": True, "supportsTools": False}
    models = [{"id": "tiny", "contextWindow": 65536, "compat": compat}]
    with QuirkyServer("string-content", "no-tools") as server:
        report = doctor(str(fleet(tmp_path, server.url, models=models)))
    assert report.wrong() == {}
    assert not any("tools" in body for _, body in server.asked)


@pytest.mark.parametrize(
    ("told", "grade", "text"),
    [
        (8192, "broken", "under 16000"),
        (16384, "warning", "under 32000"),
        (65536, "well", "65536 tokens"),
        (None, "warning", "not known"),
    ],
)
def test_the_window_is_measured_against_what_agents_need(
    told: int | None, grade: str, text: str, doctor: Doctor
) -> None:
    """Under 32k is a warning, under 16k blocks, and one that is not known is a finding of its own."""
    with QuirkyServer(models=({"id": "tiny", "max_model_len": told},), window=told or 0) as server:
        report = doctor(*at(server, "--type", "VLLM"))
    assert (report["window"]["grade"], report.status) == (grade, 1 if grade == "broken" else 0)
    assert text in report["window"]["text"]
    if grade != "well":
        assert ("--max-model-len" if told else "contextWindow") in report["window"]["remedy"]


def test_a_stated_window_that_is_too_large(doctor: Doctor, tmp_path: Path) -> None:
    """The server takes less than the object says: the cause of context errors."""
    with QuirkyServer(models=({"id": "tiny", "max_model_len": 40000},)) as server:
        report = doctor(str(fleet(tmp_path, server.url)))
    assert report["window"]["grade"] == "broken"
    assert "contextWindow: 40000" in report["window"]["remedy"]


@pytest.mark.parametrize(
    ("quirk", "grade", "text"),
    [
        ("cuts", "warning", "says nothing"),
        ("wide", "note", "wider than it tells"),
        ("overflow", "warning", "out of memory"),
        ("", "well", "says so"),
    ],
)
def test_a_prompt_that_is_too_long(quirk: str, grade: str, text: str, doctor: Doctor) -> None:
    """One that is cut in silence is found by the tokens that were counted."""
    with QuirkyServer(quirk, models=({"id": "tiny", "max_model_len": 4096},), window=4096) as server:
        report = doctor(*at(server))
    assert report["overflow"]["grade"] == grade
    assert text in report["overflow"]["text"]
    assert grade != "warning" or "contextWindow: 4096" in report["overflow"]["remedy"]


def test_ollama_that_cuts_in_silence(doctor: Doctor) -> None:
    """Its window is known once the model is loaded; the remedy is Ollama's own."""
    running = json.dumps({"models": [{"name": "qwen3:14b", "context_length": 4096}]}).encode()
    get = {"/api/ps": (200, "application/json", running)}
    with QuirkyServer("cuts", models=({"id": "qwen3:14b"},), window=4096, get=get) as server:
        report = doctor(*at(server, "--type", "Ollama"))
    assert "OLLAMA_CONTEXT_LENGTH" in report["overflow"]["remedy"]
    assert "OLLAMA_CONTEXT_LENGTH" in report["window"]["remedy"]


def test_a_model_that_was_not_loaded(doctor: Doctor) -> None:
    """LM Studio tells; the time of the first answer is told with how to keep it loaded."""
    entry = {"key": "tiny", "type": "llm", "loaded_instances": []}
    get = {"/api/v1/models": (200, "application/json", json.dumps({"models": [entry]}).encode())}
    with QuirkyServer(get=get) as server:
        report = doctor(*at(server, "--type", "LMStudio", "--model", "tiny"))
    assert report["loaded"]["grade"] == "warning"
    assert "the first answer took" in report["loaded"]["text"]
    assert 'lms load "tiny"' in report["loaded"]["remedy"]


def test_a_model_that_is_not_listed(doctor: Doctor) -> None:
    """Near names are told, and another model is not asked in its place."""
    with QuirkyServer(models=({"id": "my-local-model"}, {"id": "other"})) as server:
        report = doctor(*at(server, "--model", "my-locale-modell"))
    assert report["listed"]["grade"] == "broken"
    assert "near: my-local-model" in report["listed"]["remedy"]
    assert server.asked == []


def test_another_model_answers(doctor: Doctor) -> None:
    """As LM Studio does with what it has loaded."""
    with QuirkyServer("other-model", models=({"id": "tiny"}, {"id": "other"})) as server:
        report = doctor(*at(server, "--model", "tiny"))
    assert "other answered in its place" in report["identity"]["text"]


def test_the_key(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Right, wrong and missing ones are told apart, and no key is ever shown."""
    monkeypatch.setenv("RIGHT", "s3cret")
    monkeypatch.setenv("WRONG", "other")
    with QuirkyServer(key="s3cret") as server:
        right = doctor(*at(server, "--key-env", "RIGHT"))
        wrong = doctor(*at(server, "--key-env", "WRONG"))
        missing = doctor(*at(server))
    assert right.wrong() == {}
    assert right["key"]["text"] == "it refuses a wrong key"
    assert "the key is wrong" in wrong["answers"]["remedy"]
    assert "it wants a key" in missing["answers"]["remedy"]
    assert "s3cret" not in json.dumps(right.checks + wrong.checks)


def test_a_server_that_goes_down(doctor: Doctor) -> None:
    """It is told of what, and nothing more is asked of it."""
    with QuirkyServer("dies-of-tools") as server:
        report = doctor(*at(server))
    assert report["alive"]["grade"] == "broken"
    assert "asked for tools" in report["alive"]["text"]
    assert "compat.supportsTools: false" in report["tools"]["remedy"]


def test_a_server_that_hangs(doctor: Doctor) -> None:
    """The list is good and no answer comes: it is not waited for longer than was said."""
    with QuirkyServer("hangs") as server:
        report = doctor("--url", server.url, "--timeout", "0.3")
    assert report.wrong()["answers"] == "broken"
    assert len(server.asked) == 1
    assert "--timeout" in report["answers"]["remedy"]


@pytest.mark.parametrize(
    ("model", "found"),
    [("llama3.2:1b", "1 billion"), ("qwen3-8b-q4_k_m", "q4_k_m weights"), ("qwen3-30b-a3b", ""), ("mixtral-8x7b", "")],
)
def test_a_small_or_coarse_model_behind_tools(model: str, found: str, doctor: Doctor) -> None:
    """By its name alone, and only a warning."""
    with QuirkyServer(models=({"id": model, "max_model_len": 65536},)) as server:
        report = doctor(*at(server, "--model", model))
    assert report.status == 0
    assert ("strength" in report.wrong()) is bool(found)
    assert not found or found in report["strength"]["text"]


HOSTILE = {
    "nothing": b"",
    "no JSON": b"\xff\xfe garbage",
    "a list": b"[1, 2]",
    "nulls": b'{"choices": null, "output": null, "content": null}',
    "odd choices": b'{"choices": [null, 7, {"message": 7}]}',
    "odd usage": b'{"choices": [{"message": {"content": 7}}], "usage": {"prompt_tokens": "x"}}',
    "brackets": b"[" * 200_000,
    "an error": b'{"error": "no", "choices": [{"message": {"content": "x"}}]}',
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_answers_raise_nothing(body: bytes, doctor: Doctor) -> None:
    """Whatever comes with status 200 becomes a finding."""
    with QuirkyServer(post=(200, "application/json", body)) as server:
        assert doctor(*at(server))["answers"]["name"] == "answers"


def test_a_real_engine(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """llama-server with a window for agents is well."""
    monkeypatch.setenv("KEY", "s3cret")
    with LlamaServer(TinyModel("tool", ctx=65536), slots=1, ctx=65536, api_key="s3cret") as server:
        report = doctor("--url", server.base_url, "--type", "LlamaCpp", "--key-env", "KEY")
    assert report.wrong() == {}
    assert report["tools"]["text"] == "it takes 12 tools and calls one"
    assert report["key"]["text"] == "it refuses a wrong key"


def test_a_real_engine_with_a_small_window(doctor: Doctor) -> None:
    """2048 tokens: the window is to be raised, and a prompt that is too long is refused, not cut."""
    with LlamaServer(TinyModel("text"), slots=1, ctx=2048) as server:
        report = doctor("--url", server.base_url, "--type", "LlamaCpp")
    assert (report["window"]["grade"], report.status) == ("broken", 1)
    assert "raise -c" in report["window"]["remedy"]
    assert report["overflow"]["text"] == "it says so when a prompt is too long"


@pytest.mark.parametrize(
    ("quirk", "paths", "check", "advice"),
    [
        ("thinks", (CHAT,), "reasoning", "openai-responses"),
        ("thinks", (CHAT, RESPONSES), "reasoning", "openai-responses"),
        ("unnumbered", (RESPONSES,), "stream", "openai-completions"),
        ("unnumbered", (RESPONSES, CHAT), "stream", "openai-completions"),
    ],
)
def test_no_dialect_is_advised_that_is_not_spoken(  # noqa: PLR0917 - fixtures come in as arguments
    quirk: str, paths: tuple[str, ...], check: str, advice: str, doctor: Doctor, tmp_path: Path
) -> None:
    """The doctor has just found 404 there."""
    stated = {CHAT: "openai-completions", RESPONSES: "openai-responses"}[paths[0]]
    with QuirkyServer(quirk, paths=paths) as server:
        report = doctor(str(fleet(tmp_path, server.url, api=[stated])))
    assert report[check]["grade"] == "warning"
    assert (advice in report[check]["remedy"]) == (len(paths) > 1)
