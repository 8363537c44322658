"""Ollama: installed models, the window of loaded ones alone, and how long they stay loaded."""

import json

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


def test_a_model_is_kept_without_being_asked_anything() -> None:
    """On Ollama's own API, in whole seconds; -1 is for good."""
    assert ollama.KEEP == "/api/generate"
    assert json.loads(ollama.keep("a:latest", 90.0)) == {"model": "a:latest", "keep_alive": 90}
    assert json.loads(ollama.keep("a:latest", -1.0)) == {"model": "a:latest", "keep_alive": -1}
