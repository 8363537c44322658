"""A provider's models: what is stated over what is listed, the two names of Ollama's, and models that only embed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fleet.worlds import endpoint, route, world
from pointsman.fleet import catalogue
from pointsman.fleet.chain import links
from pointsman.fleet.render import render
from pointsman.fleet.seen import Seen, seen
from pointsman.served import Probed, ServedModel, State

if TYPE_CHECKING:
    from pointsman.fleet.world import Route, World
    from pointsman.table import Model

LISTED = ServedModel("qwen3:latest", context_window=2048, loaded=False, tools=False)
EMBEDS = ServedModel("nomic:latest", embeds=True)
STATED = pytest.mark.parametrize("stated", ["", "qwen3", "qwen3:latest"], ids=["listed", "stated", "tagged"])


def ollama(*routes: Route, stated: str = "", served: tuple[ServedModel, ...] = (LISTED,), of: str = "Ollama") -> World:
    """A world with one provider `p`, whose server lists `served` and whose object states one model or none."""
    probed = Probed(state=State.UP, reason="", message="", models=served, models_known=True)
    place = endpoint("p", type=of, **({"models": [{"id": stated, "maxTokens": 512}]} if stated else {}))
    return world([place], routes, probes={"p": probed})


def provider(of: World) -> Seen:
    found = seen(of, "p")
    assert isinstance(found, Seen)
    return found


def found(of: World, name: str) -> Model | None:
    """What the table knows of a model by this name."""
    return render(of).providers[0].find(name)


@pytest.mark.parametrize("name", ["qwen3", "qwen3:latest"])
@STATED
def test_a_route_may_name_a_model_with_its_tag_or_without(name: str, stated: str) -> None:
    """It is one model, with the same window, load state and limits; the name stays as the route has it."""
    route_of = route("r", f"p/{name}")
    of = ollama(route_of, stated=stated)
    [target] = render(of).routes[0].targets
    assert (target.model, target.skip) == (name, "")
    model = found(of, name)
    assert model
    assert (model.id, model.context_window, model.loaded, model.max_tokens) == (name, 2048, False, 512 if stated else 0)
    assert model.compat == {"supportsTools": False}
    assert route_of.spec
    assert [link.window for link in links(of, route_of.spec)] == [2048]


@STATED
def test_a_model_is_listed_once(stated: str) -> None:
    """Under the name that the object states, else under the server's own."""
    of = ollama(route("r", "p/qwen3"), stated=stated)
    name = stated or "qwen3:latest"
    assert [model.id for model in render(of).providers[0].models] == [name]
    [shown] = catalogue.in_status(provider(of))
    assert (shown["id"], shown["source"], shown["contextWindow"]) == (name, "Both" if stated else "Discovery", 2048)


def test_two_names_that_are_both_listed_or_stated_are_two() -> None:
    """A server that lists `qwen3` beside `qwen3:latest` means two."""
    both = ollama(stated="qwen3", served=(LISTED, ServedModel("qwen3", context_window=4096)))
    assert [(m.id, m.context_window) for m in catalogue.models(provider(both))] == [
        ("qwen3", 4096),
        ("qwen3:latest", 2048),
    ]


@pytest.mark.parametrize(
    ("of", "name"), [("Ollama", "qwen3:8b"), ("Ollama", "qwen"), ("VLLM", "qwen3"), ("LMStudio", "qwen3")]
)
def test_other_names_are_other_models(of: str, name: str) -> None:
    """Another tag is another model, and other servers know nothing of tags."""
    there = ollama(route("r", f"p/{name}"), of=of)
    assert render(there).routes[0].targets[0].skip == "ModelNotFound"
    assert found(there, name) is None
    assert catalogue.window(provider(there), name) == 0


@pytest.mark.parametrize("name", ["nomic", "nomic:latest"])
def test_a_model_that_only_embeds_is_there_for_who_names_it(name: str) -> None:
    """Nobody chats with one, so it stands in no list; a route finds it, and so does an object that states it."""
    served = (LISTED, EMBEDS)
    unnamed = ollama(served=served)
    assert [model.id for model in render(unnamed).providers[0].models] == ["qwen3:latest"]
    assert [model["id"] for model in catalogue.in_status(provider(unnamed))] == ["qwen3:latest"]
    routed = ollama(route("r", f"p/{name}"), served=served)
    assert render(routed).routes[0].targets[0].skip == ""
    assert found(routed, name)
    stated = ollama(served=served, stated=name)
    assert found(stated, name)


def test_a_large_table_keeps_what_routes_name_by_their_other_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not all models have room, those that a route names stay."""
    monkeypatch.setattr("pointsman.fleet.render.SIZE_LIMIT", 2000)
    many = tuple(ServedModel(f"m{i}:latest") for i in range(500))
    of = ollama(route("r", "p/qwen3"), served=(LISTED, *many))
    assert [model.id for model in render(of).providers[0].models] == ["qwen3:latest"]
