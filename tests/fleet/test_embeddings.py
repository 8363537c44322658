"""How models that embed or rerank are reached: listed, stated, or named by a route."""

from __future__ import annotations

from fleet.worlds import endpoint, provider, route, up, world
from pointsman.fleet.chain import links
from pointsman.fleet.render import render
from pointsman.served import Answer
from pointsman.vendors import lmstudio

LISTED = Answer(200, b'{"data":[{"id":"talker"},{"id":"text-embedding-bge"}]}', "application/json")
TOLD = Answer(
    200,
    b'{"data":[{"id":"talker","type":"llm","state":"loaded"},'
    b'{"id":"text-embedding-bge","type":"embeddings","state":"loaded"}]}',
    "application/json",
)
STATED = {"models": [{"id": "text-embedding-bge", "contextWindow": 512}]}
LM_STUDIO = {"type": "LMStudio", "endpoint": {"baseUrl": "http://127.0.0.1:1234/v1"}}


def test_lm_studios_own_lists_leave_embedding_models_out_and_stating_one_brings_it_in() -> None:
    """As `provider/model` in Merge mode, and as a route's primary: what is stated needs not be listed."""
    found = lmstudio.read({"/v1/models": LISTED, "/api/v0/models": TOLD})
    assert [model.id for model in found.models] == ["talker"]
    probed = {"studio": up(*(model.id for model in found.models))}
    vectors = route("vectors", "studio/text-embedding-bge")
    for stated, skip in (({}, "ModelNotFound"), (STATED, "")):
        seen = world([provider("studio", {**LM_STUDIO, **stated})], [vectors], probes=probed)
        [target] = render(seen).routes[0].targets
        assert (target.model, target.skip) == ("text-embedding-bge", skip)
        ids = [model.id for model in render(seen).providers[0].models]
        assert ("text-embedding-bge" in ids) == (not skip)
        [link] = links(seen, vectors.spec) if vectors.spec else []
        assert ("state it in spec.models" in link.why) == bool(skip)


def test_a_server_that_lists_its_embedding_model_needs_nothing_stated() -> None:
    """vLLM, llama.cpp, Ollama and hosted vendors list what they serve, whatever it does."""
    seen = world([endpoint("p")], [route("vectors", "p/bge-m3")], probes={"p": up("bge-m3", "talker")})
    assert [model.id for model in render(seen).providers[0].models] == ["bge-m3", "talker"]
    assert render(seen).routes[0].targets[0].skip == ""
