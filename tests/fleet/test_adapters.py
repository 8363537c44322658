"""LoRA adapters at run time: what a server has against what the spec wants."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.worlds import deployed
from pointsman.fleet import adapters
from pointsman.fleet.adapters import LOAD, UNLOAD, Changes
from pointsman.fleet.conditions import Finding, good
from pointsman.served import Answer

NAMES = st.sampled_from("abcdef")
TABLES = st.dictionaries(NAMES, st.sampled_from(("o/x", "o/y", "/adapters/z")))
# As vLLM 0.32 answers: two names of the base model, and an adapter.
MODELS = {
    "object": "list",
    "data": [
        {"id": "tiny", "root": "models/tiny-tool", "parent": None, "max_model_len": 2048},
        {"id": "tiny-alias", "root": "models/tiny-tool", "parent": None, "max_model_len": 2048},
        {"id": "base-lora", "root": "models/lora-a", "parent": "tiny", "max_model_len": None},
    ],
}

RANK = (
    "Call to add_lora method failed: Worker failed with error 'LoRA rank 64 is greater than max_lora_rank 16.', "
    "please check the stack trace above for the root cause"
)


def answer(body: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(body).encode())


def error(message: str, status: int) -> Answer:
    return answer({"error": {"message": message, "type": "X", "param": None, "code": status}}, status)


def test_only_what_has_a_parent_is_an_adapter() -> None:
    """Other names of the base model are none; what is no list tells nothing."""
    assert adapters.listed(answer(MODELS)) == {"base-lora": "models/lora-a"}
    assert adapters.listed(answer({"error": "Unauthorized"}, 401)) is None
    assert adapters.listed(Answer(200, b"<html>")) is None
    assert adapters.listed(answer({"data": [{"parent": "p"}, 1, {"id": 3, "parent": "p"}]})) == {}


@given(st.binary(max_size=64))
def test_garbage_is_no_list(body: bytes) -> None:
    """Whatever comes, it is read or it is not."""
    assert adapters.listed(Answer(200, body)) in (None, {})


@given(TABLES, TABLES, st.frozensets(NAMES))
def test_changes_lead_to_what_is_wanted(wanted: dict[str, str], listed: dict[str, str], ours: frozenset[str]) -> None:
    """Carried out they leave what is wanted and what is others', and then there is nothing more to do."""
    todo = adapters.changes(wanted, listed, ours)
    after = {name: path for name, path in listed.items() if name not in todo.unload}
    assert not after.keys() & dict(todo.load).keys(), "vLLM refuses a name that is loaded already"
    after |= dict(todo.load)
    others = {name: path for name, path in listed.items() if name not in ours and name not in wanted}
    assert after == wanted | others
    assert adapters.changes(wanted, after, ours) == Changes()


def test_another_path_is_another_adapter() -> None:
    """The same name with another source is unloaded first."""
    assert adapters.changes({"a": "o/new", "b": "o/b"}, {"a": "o/old"}) == Changes(
        (("a", "o/new"), ("b", "o/b")), ("a",)
    )


def test_what_others_loaded_stays() -> None:
    """Only names that were wanted once are unloaded when they no longer are."""
    assert adapters.changes({}, {"theirs": "x", "ours": "y"}, {"ours"}) == Changes((), ("ours",))


@pytest.mark.parametrize(
    ("path", "answer", "reason", "word"),
    [
        (LOAD, Answer(200, b"Success: LoRA adapter 'a' added successfully."), "", ""),
        (
            LOAD,
            error("Loading lora a failed: No adapter found for <path>", 404),
            "AdapterNotFound",
            "'a' from o/a: Load",
        ),
        (LOAD, error(RANK, 500), "AdapterLoadFailed", "max_lora_rank 16.': raise spec.deploy.engine.maxLoraRank"),
        (LOAD, error("The lora adapter 'a' conflicts with a served base model.", 400), "AdapterLoadFailed", "conflict"),
        (LOAD, answer({"detail": "Not Found"}, 404), "AdapterLoadFailed", "AtRuntime"),
        (LOAD, answer({"error": "Unauthorized"}, 401), "Unauthorized", "own key"),
        (LOAD, Answer(502, b"<html>bad gateway"), "AdapterLoadFailed", "502: <html>bad gateway"),
        (LOAD, Answer(0, error="ConnectionRefused", message="nobody"), "ConnectionRefused", "nobody"),
        (UNLOAD, error("The lora adapter 'a' cannot be found.", 404), "", ""),
        (UNLOAD, error("broken", 500), "AdapterLoadFailed", "broken"),
    ],
)
def test_a_refusal_is_told_in_the_servers_words(path: str, answer: Answer, reason: str, word: str) -> None:
    """With what mends it where that is known; what is gone already need not be unloaded."""
    found = adapters.failure(path, {"lora_name": "a", "lora_path": "o/a"}, answer)
    assert (found.reason if found else "") == reason
    assert not found or word in found.message


def test_a_provider_is_told_by_its_worst_server() -> None:
    """One failure counts, then what is not known yet; without a server nothing is loaded."""
    bad, well = Finding("AdapterLoadFailed", "no"), good("AdaptersLoaded", "a")
    assert adapters.told({"1:8000": well, "2:8000": bad, "3:8000": None}, {"a"}) == Finding(
        "AdapterLoadFailed", "2:8000: no"
    )
    assert adapters.told({"1:8000": well, "2:8000": None}, {"a"}).message.startswith("1 of 2 servers")
    assert adapters.told({}, {"a"}).status == "Unknown"
    assert adapters.told({"1:8000": well}, {"a", "b"}) == good("AdaptersLoaded", "on every server: a, b")
    assert adapters.told({}, set()).status == "True"


def test_what_is_wanted_stands_in_the_spec() -> None:
    """A hub's adapter is looked up by its name there; adapters of the start are none of ours."""
    lora = {"name": "law", "source": "hf://o/law-lora"}
    model = {"source": "hf://o/m", "adapters": [lora]}
    for loading, wanted in (("AtRuntime", {"law": "o/law-lora"}), ("AtStart", None), (None, None)):
        spec = deployed("q", model=model | ({"adapterLoading": loading} if loading else {})).spec
        assert spec
        assert spec.deploy
        assert adapters.wanted(spec.deploy) == wanted
