"""The Job's program with the clients that vLLM's images have, against a hub and an object store on loopback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pointsman.api.deploy import Deploy
from pointsman.engines import vllm_container, vllm_words
from real import clients
from real.fakestores import COMMIT, Answer, Bucket, Hub, Request, hub_error, s3_error

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

REPO = "acme/tiny"
BIG = os.urandom(300_000)
FILES = {
    "config.json": b"{}",
    "model.safetensors": BIG,
    "pytorch_model.bin": b"again",
    "original/consolidated.00.pth": b"once more",
    "1_Pooling/config.json": b"{ }",
}
READ = {"config.json", "model.safetensors", "1_Pooling/config.json"}
ADAPTER = {"adapter_config.json": b"{}", "adapter_model.safetensors": b"lora"}


@pytest.fixture(params=[clients.NEW, clients.OLD], ids=["new", "old"])
def python(request: pytest.FixtureRequest) -> Path:
    return clients.python(request.param)


def deploy(source: str, url: str, **model: Any) -> Deploy:
    stated = {"source": source, "endpointUrl": url, **model}
    return Deploy.model_validate({"model": stated, "cache": {"claimName": "weights"}})


def of_s3(bucket: Bucket) -> Deploy:
    return deploy(f"s3://{bucket.name}/tiny", bucket.url, credentialsRef={"name": "keys"})


KEYS = {"AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}


def once(pattern: str, answer: Answer, times: int = 1) -> Callable[[Request], Answer | None]:
    """A fault that comes so many times."""
    left = [times]

    def fault(request: Request) -> Answer | None:
        if pattern not in request.path or not left[0]:
            return None
        left[0] -= 1
        return answer

    return fault


def found(folder: Path) -> set[str]:
    """Files of a folder, by their paths below it, without hidden ones."""
    files = (each.relative_to(folder) for each in folder.rglob("*") if each.is_file())
    return {str(each) for each in files if not any(part.startswith(".") for part in each.parts)}


def reason(done: subprocess.CompletedProcess[str]) -> str:
    """What the status would say of it."""
    assert done.returncode == 1, done.stdout
    words = vllm_words.read(done.stdout[-4096:])
    assert words is not None
    return words.reason


def test_a_model_is_fetched_whole_without_its_duplicates_and_found_offline(python: Path, tmp_path: Path) -> None:
    """The hub's token is sent; what vLLM asks its client for is there without the hub, by the branch's name."""
    with Hub(REPO, FILES) as hub:
        one = deploy(f"hf://{REPO}", hub.url, tokenSecretRef={"name": "hub", "key": "token"})
        done = clients.prefetch(python, one, tmp_path, {"HF_TOKEN": "hf_secret"})
        assert done.returncode == 0, done.stdout + done.stderr
        assert {each.headers["authorization"] for each in hub.asked} == {"Bearer hf_secret"}
    snapshot = tmp_path / f"cache/huggingface/hub/models--acme--tiny/snapshots/{COMMIT}"
    assert found(snapshot) == READ
    assert (snapshot / "model.safetensors").read_bytes() == BIG
    offline = (
        f"import huggingface_hub as h; print(h.snapshot_download({REPO!r}, local_files_only=True, ignore_patterns='*'))"
    )
    environment = {"HF_HOME": str(tmp_path / "cache/huggingface"), "HF_HUB_OFFLINE": "1"}
    told = subprocess.run([python, "-c", offline], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == str(snapshot)


def test_a_second_run_fetches_no_file_again(python: Path, tmp_path: Path) -> None:
    """A Job that was started twice costs nothing but a look."""
    with Hub(REPO, FILES) as hub:
        one = deploy(f"hf://{REPO}", hub.url, revision=COMMIT)
        assert clients.prefetch(python, one, tmp_path).returncode == 0
        before = hub.times("/resolve/")
        assert before >= len(READ)
        assert clients.prefetch(python, one, tmp_path).returncode == 0
        assert hub.times("/resolve/") == before


def test_a_broken_download_goes_on_where_it_was(python: Path, tmp_path: Path) -> None:
    """Each connection carries less than half of it: the rest comes with ranges, and the whole is the file.

    The hub's client keeps what it got by tens of megabytes.
    """
    large = os.urandom(25_000_000)
    with Hub(REPO, {"model.safetensors": large}) as hub:
        hub.cut = 12_000_000
        done = clients.prefetch(python, deploy(f"hf://{REPO}", hub.url), tmp_path, tries=6)
        assert done.returncode == 0, done.stdout + done.stderr
        ranges = {each.headers.get("range") for each in hub.asked if "model.safetensors" in each.path}
        assert any(each and not each.startswith("bytes=0-") for each in ranges), ranges
    snapshot = tmp_path / f"cache/huggingface/hub/models--acme--tiny/snapshots/{COMMIT}"
    assert (snapshot / "model.safetensors").read_bytes() == large


def test_429_is_waited_for_as_long_as_the_hub_asks(python: Path, tmp_path: Path) -> None:
    """Retry-After is what is waited, instead of the own pause; then it goes on."""
    with Hub(REPO, FILES) as hub:
        hub.fault = once("/api/models", hub_error(429, "", "too many requests", {"Retry-After": "1"}))
        done = clients.prefetch(python, deploy(f"hf://{REPO}", hub.url), tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "the next one in 1 s" in done.stdout


@pytest.mark.parametrize(
    ("answer", "reason_", "asked"),
    [
        (hub_error(403, "GatedRepo", "Access to model acme/tiny is restricted"), "ModelAccessDenied", 1),
        (hub_error(401, "", "Invalid credentials in Authorization header"), "ModelAccessDenied", 1),
        (hub_error(404, "RepoNotFound", "Repository not found"), "ModelSourceNotFound", 1),
        (hub_error(404, "RevisionNotFound", "Invalid rev id"), "ModelSourceNotFound", 1),
        (hub_error(429, "", "too many requests", {"Retry-After": "0"}), "RateLimitedByHub", 4),
        (hub_error(502, "", "later"), "ModelSourceUnreachable", 4),
    ],
)
def test_the_last_words_say_why(python: Path, tmp_path: Path, answer: Answer, reason_: str, asked: int) -> None:
    """What will not pass is tried once, what may pass as often as the plan says; the status has a reason for each."""
    with Hub(REPO, FILES) as hub:
        hub.fault = once("/api/models", answer, times=1000)
        done = clients.prefetch(python, deploy(f"hf://{REPO}", hub.url), tmp_path)
        assert reason(done) == reason_
        assert hub.times("/api/models") == asked


def test_a_hub_that_is_gone_is_told_as_such(python: Path, tmp_path: Path) -> None:
    """Nobody listens there."""
    with Hub(REPO, FILES) as hub:
        url = hub.url
    done = clients.prefetch(python, deploy(f"hf://{REPO}", url), tmp_path, tries=2)
    assert done.returncode == 1
    assert "ConnectError" in done.stdout or "ConnectionError" in done.stdout


def small(folder: Path) -> tuple[str, ...]:
    """A command's beginning: with 200 KiB at `folder`, in a mount namespace of its own."""
    folder.mkdir()
    inside = 'mount -t tmpfs -o size=200k tmpfs "$0" && exec "$@"'
    words = ("unshare", "--mount", "sh", "-c", inside, str(folder))
    if not shutil.which("unshare") or subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a small file system needs root and unshare")
    return words


def test_a_full_disk_is_told_with_the_numbers_and_not_tried_again(python: Path, tmp_path: Path) -> None:
    """300 kB do not go into 200 KiB."""
    with Hub(REPO, FILES) as hub:
        one = deploy(f"hf://{REPO}", hub.url)
        done = clients.prefetch(python, one, tmp_path, before=small(tmp_path / "cache"))
    assert reason(done) == "NoSpaceLeft"
    assert "all of it takes" in done.stdout
    assert "the next one in" not in done.stdout


def test_an_adapter_goes_into_a_folder_of_its_own_by_its_revision(python: Path, tmp_path: Path) -> None:
    """VLLM takes no revision of an adapter: the folder that it is given holds that one."""
    with Hub("acme/lora", ADAPTER, refs=("v2",)) as hub:
        adapters = [{"name": "a", "source": "hf://acme/lora", "revision": "v2"}]
        one = deploy("pvc://weights/tiny", hub.url, adapters=adapters)
        done = clients.prefetch(python, one, tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = (tmp_path / "cache/adapters").iterdir()
    assert found(folder) == set(ADAPTER)
    assert clients.moved(vllm_container.adapter_path(one, (one.model.adapters or [])[0]), tmp_path) == str(folder)


def test_a_folder_of_a_bucket_is_fetched_whole(python: Path, tmp_path: Path) -> None:
    """Over several pages of its list; what lies beside the safetensors and other folders stay there."""
    files = {f"tiny/{name}": body for name, body in FILES.items()} | {"tiny-2/config.json": b"no"}
    with Bucket("models", files) as bucket:
        done = clients.prefetch(python, of_s3(bucket), tmp_path, KEYS)
        assert done.returncode == 0, done.stdout + done.stderr
        (folder,) = (tmp_path / "cache/s3").iterdir()
        assert found(folder) == READ
        assert (folder / "model.safetensors").read_bytes() == BIG
        before = bucket.times("/models/tiny/")
        assert clients.prefetch(python, of_s3(bucket), tmp_path, KEYS).returncode == 0
        assert bucket.times("/models/tiny/") == before


def test_a_broken_s3_download_goes_on_and_a_changed_object_begins_anew(python: Path, tmp_path: Path) -> None:
    """A file is in its place only when it is whole, and never made of two versions."""
    with Bucket("models", {"tiny/model.safetensors": BIG}) as bucket:
        bucket.cut = 120_000
        broken = clients.prefetch(python, of_s3(bucket), tmp_path, KEYS, tries=1)
        (folder,) = (tmp_path / "cache/s3").iterdir()
        assert broken.returncode == 1
        assert not found(folder)
        bucket.cut, bucket.files["tiny/model.safetensors"] = 0, BIG[::-1]
        assert clients.prefetch(python, of_s3(bucket), tmp_path, KEYS).returncode == 0
        assert (folder / "model.safetensors").read_bytes() == BIG[::-1]
        bucket.cut, bucket.files["tiny/model.safetensors"] = 120_000, BIG
        done = clients.prefetch(python, of_s3(bucket), tmp_path, KEYS)
        assert done.returncode == 0, done.stdout + done.stderr
        assert (folder / "model.safetensors").read_bytes() == BIG
        assert "bytes=120000-" in {each.headers.get("range") for each in bucket.asked}


def test_what_left_the_bucket_leaves_the_cache(python: Path, tmp_path: Path) -> None:
    """A shard of an older version would be read with the new ones."""
    with Bucket("models", {"tiny/a.safetensors": b"a", "tiny/b.safetensors": b"b"}) as bucket:
        assert clients.prefetch(python, of_s3(bucket), tmp_path, KEYS).returncode == 0
        del bucket.files["tiny/b.safetensors"]
        assert clients.prefetch(python, of_s3(bucket), tmp_path, KEYS).returncode == 0
    (folder,) = (tmp_path / "cache/s3").iterdir()
    assert found(folder) == {"a.safetensors"}
    assert set(json.loads((folder / ".pointsman.json").read_text())) == {"a.safetensors"}


@pytest.mark.parametrize(
    ("answer", "reason_", "asked"),
    [
        (s3_error(403, "AccessDenied", "Access Denied"), "ModelAccessDenied", 1),
        (s3_error(404, "NoSuchBucket", "The specified bucket does not exist"), "ModelSourceNotFound", 1),
        (s3_error(503, "SlowDown", "Please reduce your request rate", {"Retry-After": "0"}), "", 4),
    ],
)
def test_s3s_last_words_say_why(python: Path, tmp_path: Path, answer: Answer, reason_: str, asked: int) -> None:
    """Keys that are refused are not tried again; a store that is busy is."""
    with Bucket("models", {"tiny/config.json": b"{}"}) as bucket:
        bucket.fault = once("/models", answer, times=1000)
        done = clients.prefetch(python, of_s3(bucket), tmp_path, KEYS)
        assert reason(done) == reason_ or not reason_
        assert bucket.times("/models") == asked


def test_an_empty_folder_of_a_bucket_is_no_model(python: Path, tmp_path: Path) -> None:
    """Nothing would be there for vLLM to read."""
    with Bucket("models", {"else/config.json": b"{}"}) as bucket:
        done = clients.prefetch(python, of_s3(bucket), tmp_path, KEYS)
    assert reason(done) == "ModelSourceNotFound"


def test_a_disk_that_is_full_in_between_is_told_of_s3_too(python: Path, tmp_path: Path) -> None:
    """The same words as of the hub's."""
    with Bucket("models", {"tiny/model.safetensors": BIG}) as bucket:
        done = clients.prefetch(python, of_s3(bucket), tmp_path, KEYS, before=small(tmp_path / "cache"))
    assert reason(done) == "NoSpaceLeft"
