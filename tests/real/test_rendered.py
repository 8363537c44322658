"""What the operator renders for a container, with the vLLM that it is rendered for."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

from engines.test_vllm_args import ENGINE
from pointsman.api.deploy import Deploy
from pointsman.engines import vllm, vllm_container, vllm_flags, vllm_layout
from pointsman.served import Answer
from real import clients
from real.checkpoint import _safetensors, checkpoint
from real.fakestores import Hub
from testbed import vllm as environment
from testbed.serverprocess import ServerProcess
from testbed.waiting import until

pytestmark = [pytest.mark.real, pytest.mark.timeout(1200)]

LORA = [{"name": "sql, v=2", "source": "hf://acme/lora"}]
SPECS: dict[str, dict[str, Any]] = {
    "bare": {"model": {"source": "hf://Qwen/Qwen3-32B"}},
    "everything": {
        "model": {"source": "hf://o/n", "revision": "v1", "servedNames": ["a b", "$(x)"], "adapters": LORA},
        "gpus": 8,
        "parallelism": {"pipeline": 2, "data": 2, "expert": True},
        "engine": ENGINE
        | {"version": "0.32", "extraArgs": ["--seed", "7", "--override-generation-config.temperature", "0.5"]},
        "terminationGracePeriod": "5m",
    },
    "claim": {"model": {"source": "pvc://weights/llama-3/8b"}, "gpus": 2},
    "image": {"model": {"source": "oci://acme/phi:1", "path": "weights"}},
    "s3": {"model": {"source": "s3://models/qwen"}},
    "s3, fetched": {"model": {"source": "s3://models/qwen"}, "cache": {"size": "1Gi"}},
    "at run time": {
        "model": {"source": "hf://o/n", "adapters": LORA, "adapterLoading": "AtRuntime"},
        "gpus": 2,
        "parallelism": {"data": 2},
    },
    "nodes": {"model": {"source": "hf://o/n"}, "gpus": 8, "parallelism": {"nodes": 2}},
}


def words(one: Deploy, *, follower: bool = False) -> list[str]:
    """As the kubelet hands them over on the second node of two."""
    rendered = vllm_container.worker_args(one) if follower else vllm_container.args(one)
    values = {"$(LWS_LEADER_ADDRESS)": "large-0.large", "$(LWS_WORKER_INDEX)": "1"}
    for name, value in values.items():
        rendered = [word.replace(name, value) for word in rendered]
    return [word.replace("$$", "$") for word in rendered]


@pytest.fixture(scope="module")
def parsed() -> dict[str, dict[str, str]]:
    """Each spec's arguments as vLLM's parser read them, and its flags."""
    folder = environment.installed()
    if folder is None:
        pytest.skip("vLLM is not installed: `make test-real` does that (6 GB)")
    deploys = {name: Deploy.model_validate(spec) for name, spec in SPECS.items()}
    asked = {name: words(one) for name, one in deploys.items()}
    asked["follower"] = words(deploys["nodes"], follower=True)
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        ["nice", folder / "bin/python", Path(__file__).with_name("parsing.py")],
        input=json.dumps(asked), env=variables, capture_output=True, text=True, timeout=600, check=True,
    )  # fmt: skip
    told: dict[str, dict[str, str]] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.mark.parametrize("name", [*SPECS, "follower"])
def test_vllms_own_parser_takes_what_is_rendered(parsed: Mapping[str, Mapping[str, str]], name: str) -> None:
    """And the model, its names and its address are what they should be."""
    found = parsed[name]
    assert "error" not in found, found["error"]
    one = Deploy.model_validate(SPECS["nodes" if name == "follower" else name])
    assert found["model_tag"] == vllm_container.model(one)
    assert found["served_model_name"] == str(list(vllm_container.served_names(one)))
    assert (found["host"], found["port"]) == ("0.0.0.0", "8000")


def test_every_field_arrives_as_its_value(parsed: Mapping[str, Mapping[str, str]]) -> None:
    """By the names of vLLM's own settings."""
    found = parsed["everything"]
    wanted = {
        "revision": "v1", "max_model_len": "8192", "dtype": "bfloat16", "quantization": "awq", "kv_cache_dtype": "fp8",
        "gpu_memory_utilization": "0.9", "max_num_seqs": "16", "enable_prefix_caching": "False",
        "tool_call_parser": "hermes", "enable_auto_tool_choice": "True", "reasoning_parser": "qwen3",
        "load_format": "safetensors", "max_loras": "2", "max_lora_rank": "32", "enable_lora": "True",
        "chat_template": "/etc/pointsman/chat-template/template.jinja", "trust_remote_code": "True", "seed": "7",
        "tensor_parallel_size": "2", "pipeline_parallel_size": "2", "data_parallel_size": "2",
        "enable_expert_parallel": "True", "shutdown_timeout": "270",
    }  # fmt: skip
    assert {key: found[key] for key in wanted} == wanted
    assert "'sql, v=2'" in found["lora_modules"]
    assert "temperature" in found["override_generation_config"]
    assert parsed["s3"]["load_format"] == "runai_streamer"
    assert (parsed["at run time"]["enable_lora"], parsed["at run time"]["api_server_count"]) == ("True", "1")
    nodes = [
        (parsed[name]["nnodes"], parsed[name]["node_rank"], parsed[name]["headless"]) for name in ("nodes", "follower")
    ]
    assert nodes == [("2", "0", "False"), ("2", "1", "True")]
    assert parsed["follower"]["master_addr"] == "large-0.large"


def test_owned_flags_are_vllms_and_no_others_are_taken_for_them(parsed: Mapping[str, Mapping[str, str]]) -> None:
    """A list that names what is not there guards nothing; one that takes too much forbids what is harmless."""
    flags = set(parsed[""])
    assert not {*vllm_flags._OWNED, *vllm_flags._OWNED_SHORT} - flags
    wrong = {
        flag
        for flag in flags - {*vllm_flags._OWNED, *vllm_flags._OWNED_SHORT}
        if vllm_flags.owned(flag) and flag.replace("--no-", "--") not in vllm_flags._OWNED
    }
    assert not wrong
    assert {flag for flag in flags if vllm_flags.owned(flag).startswith("--data-parallel-")} >= {
        flag for flag in flags if flag.startswith("--data-parallel-")
    }


class Rendered(ServerProcess):
    """vLLM with the operator's own arguments and environment, its folders below `home`, on a port of the test's."""

    patience = 600.0  # beside other tests; alone it takes a minute

    def __init__(self, one: Deploy, home: Path, key: str) -> None:
        super().__init__()
        self._deploy, self._home, self._key = one, home, key

    def command(self) -> Sequence[str]:
        folder = environment.installed()
        assert folder is not None
        moved = [clients.moved(word, self._home) for word in words(self._deploy)]
        moved = [word.replace("0.0.0.0", "127.0.0.1").replace("=8000", f"={self.port}") for word in moved]
        # The package for processors has no working `vllm` command: this is what that command does.
        start = (
            "import sys; from vllm.entrypoints.cli.serve import cmd_init; "
            "from vllm.utils.argparse_utils import FlexibleArgumentParser as P; p = P(); s = p.add_subparsers(); "
            "c, = cmd_init(); c.subparser_init(s); c.cmd(p.parse_args(sys.argv[1:]))"
        )
        return ["nice", str(folder / "bin/python"), "-c", start, "serve", *moved]

    def start(self) -> Self:
        """As any server; where it does not come up, what it said goes with the error."""
        self.launch()
        try:
            until(self._started, self.patience, every=0.5, what="the rendered vLLM")
        except Exception as error:
            error.add_note(self.log()[-4000:])
            self.close()
            raise
        return self

    def variables(self) -> Mapping[str, str]:
        entries = vllm_container.env(self._deploy, "tiny")
        # What a processor in a container needs, and nothing that the operator sets.
        own = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_CPU_KVCACHE_SPACE": "1", "OMP_NUM_THREADS": "1"}
        return clients.environment(entries, self._home, {"VLLM_API_KEY": self._key}) | own


def adapter(hidden: int = 128, layers: int = 2, rank: int = 8) -> dict[str, bytes]:
    """A LoRA adapter of the tiny model's that adds nothing."""
    config = {"peft_type": "LORA", "r": rank, "lora_alpha": 16, "target_modules": ["q_proj"], "bias": "none"}
    tensors = {}
    for layer in range(layers):
        at = f"base_model.model.model.layers.{layer}.self_attn.q_proj"
        tensors[f"{at}.lora_A.weight"] = np.ones((rank, hidden), np.float32)
        tensors[f"{at}.lora_B.weight"] = np.zeros((hidden, rank), np.float32)
    return {"adapter_config.json": json.dumps(config).encode(), "adapter_model.safetensors": _safetensors(tensors)}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("container")


@pytest.fixture(scope="module")
def one() -> Deploy:
    """As for a GPU, but: no GPU, and --enforce-eager and a data type that a processor has."""
    engine = {"dtype": "float32", "maxNumSeqs": 4, "maxModelLen": 4096, "extraArgs": ["--enforce-eager"]}
    model = {
        "source": "hf://acme/tiny", "adapters": [{"name": "sql, v=2", "source": "pvc://weights/lora"}],
        "tokenSecretRef": {"name": "hub", "key": "token"}, "endpointUrl": "http://127.0.0.1:1",
    }  # fmt: skip
    return Deploy.model_validate({"model": model, "gpus": 0, "engine": engine, "cache": {"claimName": "weights"}})


@pytest.fixture(scope="module")
def server(one: Deploy, home: Path) -> Iterator[Rendered]:
    """Fetched by the Job's program from a hub that is gone before the engine starts; the adapter is in a claim."""
    folder = environment.installed()
    if folder is None:
        pytest.skip("vLLM is not installed: `make test-real` does that (6 GB)")
    files = {each.name: each.read_bytes() for each in checkpoint("text").iterdir() if each.is_file()}
    with Hub("acme/tiny", files) as hub:
        model = one.model.model_copy(update={"endpoint_url": hub.url})
        fetched = clients.prefetch(
            folder / "bin/python", one.model_copy(update={"model": model}), home, {"HF_TOKEN": "t"}
        )
    assert fetched.returncode == 0, fetched.stdout + fetched.stderr
    (path,) = (vllm_container.adapter_path(one, each) for each in one.model.adapters or ())
    lora = Path(clients.moved(path, home))
    lora.mkdir(parents=True)
    for name, body in adapter().items():
        (lora / name).write_bytes(body)
    for each in (vllm_layout.HOME,):
        Path(clients.moved(each, home)).mkdir(parents=True)
    with Rendered(one, home, "s3cret") as running:
        yield running


def test_the_rendered_engine_serves_with_its_key_offline_under_its_names(server: Rendered, home: Path) -> None:
    """What the Job fetched is all that it needs; its key guards it, and /health is open; the adapter is a model."""
    authorized = {"Authorization": "Bearer s3cret"}
    assert server.get("/health").status_code == 200
    assert server.get("/metrics").status_code == 200
    assert server.get("/v1/models").status_code == 401
    assert server.get("/v1/models", headers={"Authorization": "Bearer other"}).status_code == 401
    listed = server.get("/v1/models", headers=authorized)
    found = vllm.read({"/v1/models": Answer(listed.status_code, listed.content)})
    assert {each.id: each.context_window for each in found.models} == {"acme/tiny": 4096, "sql, v=2": 4096}
    for name in ("acme/tiny", "sql, v=2"):
        asked = {"model": name, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4}
        assert server.post("/v1/chat/completions", asked).status_code == 401
        answer = server.post("/v1/chat/completions", asked, headers=authorized)
        assert answer.status_code == 200, answer.text
        assert answer.json()["model"] == name
        assert answer.json()["choices"][0]["message"]["content"]
    assert "GET /health" not in server.log()
    assert list((home / "cache/compile").iterdir())
