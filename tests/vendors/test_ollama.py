"""Ollama: installed models, windows of loaded ones and of cold ones, what they can do, how long they stay loaded."""

import json
from typing import Any

import pytest

from pointsman.served import Answer, Finding, ServedModel
from pointsman.vendors import ollama

LIST = Answer(200, b'{"object":"list","data":[{"id":"a:latest"},{"id":"b:latest"}]}')
RUNNING = b'{"models":[{"name":"b:latest","model":"b:latest","size_vram":0,"context_length":4096}]}'


def test_a_window_is_known_while_a_model_is_loaded() -> None:
    """Only /api/ps knows with which window a model runs."""
    found = ollama.read({"/v1/models": LIST, "/api/ps": Answer(200, RUNNING)})
    assert found == Finding(
        ok=True,
        models=(ServedModel("a:latest", loaded=False), ServedModel("b:latest", context_window=4096, loaded=True)),
    )


def test_without_api_ps_nothing_is_known_of_loading() -> None:
    """A failure of /api/ps is no failure of the server, and not told is not the same as not loaded."""
    found = ollama.read({"/v1/models": LIST, "/api/ps": Answer(404, b"404 page not found")})
    assert found.ok
    assert [model.loaded for model in found.models] == [None, None]
    assert found.credentials_valid is None  # there are no keys


def shown(parameters: object = "", *, bound: int = 131_072, **fields: Any) -> ServedModel:
    """What is known by an answer of /api/show; `bound` is what the weights could take, in tokens."""
    weights = {"general.architecture": "qwen3", "qwen3.context_length": bound, "tokenizer.ggml.tokens": None}
    told = {"parameters": parameters, "model_info": weights, "details": {"family": "qwen3"}, **fields}
    found = ollama.shown(Answer(200, json.dumps(told).encode()))
    assert found
    return found


@pytest.mark.parametrize(
    ("parameters", "bound", "window"),
    [
        ("num_ctx                        2048", 131_072, 2048),
        ('stop                           "num_ctx 7\\nnum_ctx 7"\nnum_ctx  65536\ntop_k  20', 131_072, 65_536),
        ("num_ctx                        65536", 32_768, 32_768),
        ("num_ctx                        2048", 0, 2048),
        ("temperature                    0.7", 131_072, 0),
        ("temperature                    0.7", 2048, 2048),
        ("num_ctx                        99999999999", 131_072, 0),
        (["num_ctx 2048"], 131_072, 0),
    ],
    ids=["stated", "among others", "more than the weights", "alone", "unsaid", "small weights", "absurd", "no text"],
)
def test_the_window_of_a_cold_model_is_its_modelfiles(parameters: object, bound: int, window: int) -> None:
    """What the weights could take is no window, but none is larger; it counts where it is under Ollama's own 4096."""
    assert shown(parameters, bound=bound).context_window == window


def test_what_a_model_can_do_is_told() -> None:
    """By its capabilities Ollama itself refuses tools; one that says none of them is an old server."""
    some = shown(capabilities=["completion", "tools", "vision", "thinking"])
    assert (some.tools, some.input, some.reasoning, some.embeds) == (True, ("text", "image"), True, False)
    none = shown(capabilities=["completion"])
    assert (none.tools, none.input, none.reasoning, none.embeds) == (False, ("text",), False, False)
    assert shown(capabilities=["embedding"]).embeds
    assert not shown(capabilities=["completion", "embedding"]).embeds
    for untold in ({}, {"capabilities": None}, {"capabilities": []}, {"capabilities": "tools"}):
        assert shown(**untold) == ServedModel("")


@pytest.mark.parametrize("answer", [Answer(404, b'{"error":"model not found"}'), Answer(200, b"[]"), Answer(200, b"{")])
def test_an_answer_that_tells_nothing(answer: Answer) -> None:
    """A server without /api/show, or what only looks like one."""
    assert ollama.shown(answer) is None


def test_each_content_is_one_question() -> None:
    """Names that share a digest share the answer; what has no digest is not asked for, as nothing tells it apart."""
    tags = [{"name": "a:latest", "digest": "1"}, {"name": "a:8b", "digest": "1"}, {"name": "b:latest", "digest": "2"}]
    listed = Answer(200, json.dumps({"models": [*tags, {"name": "c:latest"}, {"digest": "3"}, 4]}).encode())
    asked = ollama.questions({"/api/tags": listed})
    assert [(each.about, each.models, each.path) for each in asked] == [
        ("1", ("a:latest", "a:8b"), "/api/show"),
        ("2", ("b:latest",), "/api/show"),
    ]
    assert [json.loads(each.body) for each in asked] == [{"model": "a:latest"}, {"model": "b:latest"}]
    assert ollama.questions({}) == []


def test_a_loaded_models_window_is_the_one_it_runs_with() -> None:
    """A cold one's is that of its Modelfile; of a model that nothing more was told of nothing changes."""
    running = b'{"models":[{"name":"b:latest","context_length":4096}]}'
    found = ollama.read({"/v1/models": LIST, "/api/ps": Answer(200, running)})
    detail = shown("num_ctx 8192")
    joined = ollama.joined(found, {"a:latest": detail, "b:latest": detail})
    assert [(model.id, model.context_window, model.loaded) for model in joined.models] == [
        ("a:latest", 8192, False),
        ("b:latest", 4096, True),
    ]
    assert ollama.joined(found, {}) == found


def test_a_model_is_kept_without_being_asked_anything() -> None:
    """On Ollama's own API, in whole seconds; -1 is for good."""
    assert ollama.KEEP == "/api/generate"
    assert json.loads(ollama.keep("a:latest", 90.0)) == {"model": "a:latest", "keep_alive": 90}
    assert json.loads(ollama.keep("a:latest", -1.0)) == {"model": "a:latest", "keep_alive": -1}


CLOUD = b"""{"models":[{"name":"a:latest","digest":"1","remote_model":"gpt-oss:120b","remote_host":"https://ollama.com:443"},
{"name":"b:latest","digest":"2"}]}"""


def test_a_model_of_the_cloud_is_marked_and_never_cold() -> None:
    """By the list under any name, and by its name where the list says nothing; it has no place in /api/ps."""
    answers = {"/v1/models": LIST, "/api/ps": Answer(200, RUNNING), "/api/tags": Answer(200, CLOUD)}
    far, near = ollama.read(answers).models
    assert (far.remote, far.loaded) == (True, None)
    assert (near.remote, near.loaded) == (False, True)
    named = Answer(200, b'{"data":[{"id":"gpt-oss:120b-cloud"}]}')
    for others in ({}, {"/api/ps": Answer(200, RUNNING)}):
        (model,) = ollama.read({"/v1/models": named, **others}).models
        assert (model.remote, model.loaded) == (True, None)


def test_what_is_shown_of_a_model_of_the_cloud() -> None:
    """/api/show says it too."""
    detail = shown(remote_host="https://ollama.com:443", remote_model="m")
    found = Finding(ok=True, models=(ServedModel("a", loaded=False), ServedModel("b", loaded=False)))
    far, near = ollama.joined(found, {"a": detail, "b": shown()}).models
    assert (far.remote, far.loaded) == (True, None)
    assert (near.remote, near.loaded) == (False, False)
