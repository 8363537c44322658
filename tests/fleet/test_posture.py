"""What is unsafe is warned of, with its remedy; what is sound is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.postures import COMMIT, KEY, found, of, pod, run, vllm
from fleet.strategies import WORLDS
from fleet.worlds import Json, deployed, endpoint, provider, world
from pointsman.fleet import objects, posture
from pointsman.fleet.posture import Posture
from pointsman.fleet.seen import Seen, seen
from pointsman.fleet.world import Provider, World
from pointsman.served import Probed, State

SAMPLES = Path(__file__).parent.parent.parent / "manifests" / "samples"


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://desk.example.internal:1234/v1", True),
        ("http://10.0.0.7:8000", True),
        ("HTTP://Box.LAN", True),
        ("http://[2001:db8::1]:8000", True),
        ("http://api.example.com", True),
        ("https://api.example.com", False),
        ("http://127.0.0.1:1234/v1", False),
        ("http://127.8.8.8", False),
        ("http://[::1]:8080", False),
        ("http://[::ffff:127.0.0.1]:8080", False),
        ("http://localhost:11434", False),
        ("http://LOCALHOST.:11434", False),
        ("http://llm.localhost", False),
        ("http://host.docker.internal:11434", False),
        ("http://ollama:11434", False),
        ("http://ollama.ai.svc:11434", False),
        ("http://ollama.ai.svc.cluster.local:11434", False),
        ("http://ollama.svc.example.com", False),  # a cluster's own domain
        ("http://box.tail1234.ts.net:8000", False),
    ],
)
def test_plain_http_beyond_this_machine_and_the_cluster(url: str, warned: bool) -> None:
    """The message names the host, and what is read there."""
    said = of(endpoint("e", url, secret="s"))
    assert ("PlainHTTP" in said) == warned
    assert not warned or "the key go to" in said["PlainHTTP"]


def test_a_certificate_that_is_not_verified() -> None:
    """Where a verified one would protect something."""
    skip = {"tls": {"insecureSkipVerify": True}, **KEY}
    assert of(vllm("https://gpu.example.com", **skip)).keys() == {"TLSNotVerified"}
    assert of(vllm("https://127.0.0.1:8000", **skip)).keys() == set()
    assert of(vllm("https://gpu.example.com", tls={"serverName": "gpu"}, **KEY)).keys() == set()


@pytest.mark.parametrize("url", ["https://llm.example.com", "http://ollama.ai.svc:11434"])
def test_no_key_where_others_can_reach(url: str) -> None:
    """A Service is reached by every Pod; this machine's own servers by those who are on it."""
    assert of(endpoint("e", url)).keys() == {"NoAPIKey"}
    assert of(endpoint("e", url, secret="s")).keys() == set()
    assert of(endpoint("e", "http://localhost:11434")).keys() == set()


def test_a_server_that_asks_for_a_key_is_not_open() -> None:
    """That we have none for it, or the wrong one, is a condition's to say."""
    refused = Probed(State.DOWN, "Unauthorized", "", credentials_valid=False)
    assert of(endpoint("e", "https://llm.example.com"), probes={"e": refused}) == {}
    hosted = provider("o", {"type": "OpenRouter", "endpoint": {"baseUrl": "https://openrouter.ai/api/v1"}})
    assert of(hosted) == {}


@pytest.mark.parametrize(
    ("name", "value", "warned"),
    [
        ("api-key", "0123456789abcdef", True),
        ("x-goog-api-key", "AIzaSyA-0123456789abcdefghijklmnopqrst", True),
        ("x-team-token", "s3cret-s3cret", True),
        ("x-anything", "sk-proj-0123456789abcdef01", True),
        ("x-anything", "Bearer abcdefghijkl", True),
        ("cookie", "session=0123456789", True),
        ("x-team", "research", False),
        ("x-max-tokens", "4096", False),
        ("x-tokenizer", "sentencepiece", False),
        ("x-anything", "skating-is-fun-for-everybody", False),
        ("api-key", "none", False),
    ],
)
def test_what_looks_like_a_key_in_a_header(name: str, value: str, warned: bool) -> None:
    """Named, and never shown."""
    said = of(vllm("https://llm.example.com", headers={name: value}, **KEY))
    assert said.keys() == ({"SecretInHeaders"} if warned else set())
    assert not any(value in each for each in said.values())


@pytest.mark.parametrize(
    ("deploy", "word"),
    [
        ({"networkPolicy": {"mode": "None"}}, "every Pod"),
        ({"networkPolicy": {"allowFrom": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}}, "every address"),
        (
            {"networkPolicy": {"allowFrom": [{"ipBlock": {"cidr": each}} for each in ("0.0.0.0/1", "128.0.0.0/1")]}},
            "0.0.0.0/1 and 128.0.0.0/1 is every address",
        ),
        ({"networkPolicy": {"allowFrom": [{"namespaceSelector": {}}]}}, "every Pod"),
        ({"networkPolicy": {"allowFrom": [{"namespaceSelector": {"matchLabels": {}}}]}}, "every Pod of the cluster"),
        (
            {"networkPolicy": {"allowFrom": [{"namespaceSelector": {"matchExpressions": []}, "podSelector": {}}]}},
            "every Pod of the cluster",
        ),
        ({"networkPolicy": {"allowFrom": [{"podSelector": {"matchLabels": {}}}]}}, "every Pod of the namespace"),
        ({"podTemplate": {"spec": {"hostNetwork": True}}}, "hostNetwork"),
        ({"podTemplate": pod(ports=[{"containerPort": 9000, "hostPort": 9000}])}, "hostPort"),
    ],
)
def test_an_engine_that_others_reach(deploy: Json, word: str) -> None:
    """Past the routes, with the NetworkPolicy as the remedy."""
    said = of(run(**deploy))
    assert said.keys() == {"ReachableAroundGateway"}
    assert word in said["ReachableAroundGateway"]
    assert "GatewayOnly" in said["ReachableAroundGateway"]


@pytest.mark.parametrize(
    "access",
    [
        None,
        {"mode": "GatewayOnly"},
        {"allowFrom": [{"podSelector": {"matchLabels": {"app": "x"}}}]},
        {"allowFrom": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "x"}}}]},
        {"allowFrom": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]},
        {"allowFrom": [{"ipBlock": {"cidr": "0.0.0.0/1"}}, {"ipBlock": {"cidr": "8000::/1"}}]},
        {"allowFrom": [{"namespaceSelector": {"matchLabels": {"team": "a"}}, "podSelector": {}}]},
    ],
)
def test_an_engine_that_few_reach(access: Json | None) -> None:
    """The default, and peers that were chosen."""
    assert of(run(**({"networkPolicy": access} if access else {}))) == {}


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://gpu.example.internal:8000/v1", True),
        ("https://gpu.example.com/v1", False),
        ("http://127.0.0.1:8000", False),
        ("http://vllm.ai.svc:8000", False),
    ],
)
def test_a_vllm_of_others_on_a_network(url: str, warned: bool) -> None:
    """Its key guards /v1 alone; behind https stands a proxy, of which nothing is known."""
    assert ("ReachableAroundGateway" in of(vllm(url, **KEY))) == warned
    assert "ReachableAroundGateway" not in of(endpoint("e", url, secret="s"))


@pytest.mark.parametrize(
    ("engine", "warned"),
    [
        ({"trustRemoteCode": True}, True),
        ({"extraArgs": ["--trust-remote-code"]}, True),
        ({"extraArgs": ["--trust_remote_code"]}, True),
        ({"extraArgs": ["--trust-remote"]}, True),
        ({"extraArgs": ["--trust-remote-code", "--no-trust"]}, False),
        ({"extraArgs": ["--trust-remote-code", "--no-trust-remote-code"]}, False),
        ({"extraArgs": ["--max-num-batched-tokens=8192"]}, False),
    ],
)
def test_the_models_own_code(engine: Json, warned: bool) -> None:
    """By the field or by the flag, as vLLM's parser takes it."""
    assert ("RemoteCode" in of(run(engine))) == warned


@pytest.mark.parametrize("revision", ["main", "v1.0", COMMIT[:12], COMMIT + "0", None])
def test_a_revision_that_moves(revision: str | None) -> None:
    """Branches and tags can be moved; only a whole commit stays."""
    said = of(run(model={"revision": revision} if revision else {"revision": None}))
    assert said.keys() == {"UnpinnedRevision"}
    assert (revision or "main") in said["UnpinnedRevision"]


def test_a_commit_is_one_in_upper_case_too() -> None:
    """As the hub takes it."""
    assert of(run(model={"revision": COMMIT.upper()})) == {}


def test_of_adapters_only_where_there_are_any() -> None:
    """Their commits need a cache, which is said of one that has none."""
    loose = {"adapters": [{"name": "a", "source": "hf://o/a"}]}
    assert "dapter" not in of(run(model={"revision": "main"}))["UnpinnedRevision"]
    assert "an adapter's commit needs spec.deploy.cache" in of(run(model=loose))["UnpinnedRevision"]
    assert "needs spec.deploy.cache" not in of(run(model=loose, cache={"size": "1Gi"}))["UnpinnedRevision"]


def test_weights_that_do_not_come_from_the_hub_have_no_revision() -> None:
    """A claim's or a bucket's are the owner's; an adapter's are looked at too."""
    assert of(deployed("d", model={"source": "pvc://claim/model"})) == {}
    adapters = [{"name": "a", "source": "hf://o/a"}, {"name": "b", "source": "hf://o/b", "revision": COMMIT}]
    said = of(run(model={"adapters": adapters}, cache={"size": "100Gi"}))
    assert "adapters[a]" in said["UnpinnedRevision"]
    assert "adapters[b]" not in said["UnpinnedRevision"]


@pytest.mark.parametrize(
    ("image", "warned"),
    [
        ("vllm/vllm-openai:latest", True),
        ("vllm/vllm-openai", True),
        ("registry:5000/vllm", True),
        ("registry:5000/vllm:nightly", True),
        ("vllm/vllm-openai:v0.32.0", False),
        ("registry:5000/vllm:v0.32.0", False),
        ("vllm/vllm-openai@sha256:" + "0" * 64, False),
        ("vllm/vllm-openai:latest@sha256:" + "0" * 64, False),
    ],
)
def test_an_image_that_moves(image: str, warned: bool) -> None:
    """Unless stated it is pinned by the release."""
    assert ("UnpinnedImage" in of(run(image=image))) == warned
    assert ("UnpinnedImage" in of(run(podTemplate={"spec": {"containers": [{"name": "x", "image": image}]}}))) == warned


def test_weights_in_an_image_are_pinned_by_digest() -> None:
    """A tag is somebody's to move."""
    assert of(deployed("d", model={"source": "oci://r.example/m:v1"})).keys() == {"UnpinnedImage"}
    assert of(deployed("d", model={"source": "oci://r.example/m@sha256:" + "0" * 64})) == {}


@pytest.mark.parametrize(
    "provider",
    [
        run(model={"adapterLoading": "AtRuntime", "adapters": []}),
        run({"env": [{"name": "VLLM_ALLOW_INSECURE_SERIALIZATION", "value": "1"}]}),
        run(podTemplate=pod(env=[{"name": "VLLM_ALLOW_INSECURE_SERIALIZATION", "value": "1"}])),
    ],
)
def test_doors_of_development(provider: Provider) -> None:
    """Opened by a field, by the environment, or by the template."""
    assert of(provider).keys() == {"DevMode"}


def test_a_door_that_is_said_to_be_shut_is() -> None:
    """A variable of 0 is no warning."""
    assert of(run({"env": [{"name": "VLLM_ALLOW_INSECURE_SERIALIZATION", "value": "0"}]})) == {}


JUSTIFIED = {
    # Plain http over a network, as the samples' desks and boxes are reached; a real one would be told the same.
    "litellm": {"PlainHTTP"},
    "llamacpp": {"PlainHTTP", "NoAPIKey"},
    "lmstudio": {"PlainHTTP"},
    "ollama": {"PlainHTTP", "NoAPIKey"},
    "sglang": {"PlainHTTP", "NoAPIKey"},
    "vllm": {"PlainHTTP", "ReachableAroundGateway"},
    # A sample cannot know the commit that its reader wants.
    "qwen": {"UnpinnedRevision"},
    "coder": {"UnpinnedRevision"},
    "tuned": {"DevMode"},  # adapters at run time
}


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_samples_are_warned_of_no_more_than_is_so(path: Path) -> None:
    """Each warning on a sample of ours is one that we stand by."""
    there = objects.build_world(objects.read_files({path.name: path.read_text()}))
    for name in there.providers:
        assert found(there, name).keys() == JUSTIFIED.get(name, set()), name


def test_the_order_is_that_of_the_table() -> None:
    """However many there are, so that a status is written once."""
    engine = {"trustRemoteCode": True, "toolCallParser": "hermes"}
    reasons = list(of(deployed("d", engine=engine, networkPolicy={"mode": "None"}, model={"source": "hf://o/m-vl-7b"})))
    assert reasons == [each for each in posture.WARNINGS if each in reasons]
    assert len(reasons) == 5


def test_long_names_leave_room_for_the_remedy() -> None:
    """At most 1024 characters, and what to do is among them."""
    adapters = [{"name": f"a{i}", "source": "hf://o/" + "x" * 900} for i in range(9)]
    said = of(run(model={"adapters": adapters}))["UnpinnedRevision"]
    assert len(said) == 1024
    assert said.endswith(posture.WARNINGS["UnpinnedRevision"].remedy)


@given(WORLDS)
def test_any_provider_has_few_and_short_warnings(of_world: World) -> None:
    """Nothing raises; the same provider is told the same."""
    for name in of_world.providers:
        one = seen(of_world, name)
        if isinstance(one, Seen):
            warnings = posture.warnings(one)
            assert warnings == posture.warnings(one)
            assert len(warnings) <= 32
            assert all(isinstance(each, Posture) and 0 < len(each.message) <= 1024 for each in warnings)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(["", "x", "VLLM_SERVER_DEV_MODE"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("spec", "containers", "initContainers", "ports", "env", "hostPort", "name", "image", "value"),
                    *("securityContext", "capabilities", "add", "seccompProfile", "runAsUser", "hostPID", "type"),
                ]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(st.just("spec"), JSON),
    st.lists(st.dictionaries(st.sampled_from(["ipBlock", "podSelector", "namespaceSelector"]), JSON)),
)
def test_whatever_a_template_holds(template: Json, peers: list[Json]) -> None:
    """Nobody has checked it yet: it is read, not believed."""
    each = run(podTemplate=template, networkPolicy={"allowFrom": peers[:32]})
    there = world([each])
    assert each.spec
    assert isinstance(posture.warnings(Seen(there, each, each.spec, Probed(), None)), tuple)
