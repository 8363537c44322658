"""What podTemplate takes from an engine's confinement, and what stands in the open in its environment and flags."""

from __future__ import annotations

import pytest

from fleet.postures import of, pod, run
from fleet.worlds import Json


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (pod(securityContext={"privileged": True}), "container vllm: privileged: true"),
        (pod(securityContext={"runAsUser": 0}), "runAsUser: 0"),
        (pod(securityContext={"runAsNonRoot": False}), "runAsNonRoot: false"),
        (pod(securityContext={"allowPrivilegeEscalation": True}), "allowPrivilegeEscalation: true"),
        (pod(securityContext={"capabilities": {"add": ["SYS_ADMIN", "IPC_LOCK"]}}), "capabilities.add: SYS_ADMIN; "),
        (pod(securityContext=None), "securityContext: null"),
        ({"spec": {"securityContext": {"runAsUser": 0, "runAsNonRoot": False}}}, "podTemplate: runAsUser: 0; "),
        ({"spec": {"securityContext": {"seccompProfile": {"type": "Unconfined"}}}}, "seccompProfile: Unconfined"),
        ({"spec": {"hostPID": True}}, "hostPID: true"),
        ({"spec": {"hostIPC": True}}, "hostIPC: true"),
        ({"spec": {"automountServiceAccountToken": True}}, "automountServiceAccountToken: true"),
        (
            {"spec": {"initContainers": [{"name": "x", "image": "x:1", "securityContext": {"privileged": True}}]}},
            "container x: privileged: true",
        ),
    ],
)
def test_a_template_that_takes_confinement_back(template: Json, words: str) -> None:
    """By one warning that lists it all, with the container."""
    said = of(run(podTemplate=template))
    assert said.keys() == {"LessConfined"}
    assert words in said["LessConfined"]


@pytest.mark.parametrize(
    "template",
    [
        pod(securityContext={"runAsUser": 1000, "runAsNonRoot": True, "readOnlyRootFilesystem": True}),
        pod(securityContext={"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}, "privileged": False}),
        {"spec": {"hostPID": False, "automountServiceAccountToken": False, "securityContext": {"fsGroup": 7}}},
    ],
)
def test_a_template_that_keeps_it(template: Json) -> None:
    """What the level "restricted" of Pod Security allows is no warning."""
    assert of(run(podTemplate=template)) == {}


@pytest.mark.parametrize(
    ("name", "value", "warned"),
    [
        ("HF_TOKEN", "hf_" + "a" * 34, True),
        ("HUGGING_FACE_HUB_TOKEN", "s3cr3t-s3cr3t", True),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE", True),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCY", True),
        ("AWS_SESSION_TOKEN", "FwoGZXIvYXdzEXAMPLE", True),
        ("WANDB_API_KEY", "0123456789abcdef", True),
        ("DB_PASSWORD", "correct-horse", True),
        ("HTTPS_PROXY", "http://me:hunter2@proxy:3128", True),
        ("ANYTHING", "sk-proj-0123456789abcdef01", True),
        ("HTTPS_PROXY", "http://proxy:3128", False),
        ("AWS_REGION", "eu-central-1", False),
        ("AWS_ENDPOINT_URL", "https://minio.ai.svc:9000", False),
        ("TOKENIZERS_PARALLELISM", "disabled", False),
        ("SSL_KEY", "/run/secrets/tls/key.pem", False),
        ("HF_TOKEN", "$(OTHER_TOKEN)", False),
        ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1", False),
        ("NCCL_DEBUG", "INFOINFO", False),
        ("MONKEY", "gibbon-gibbon", False),
    ],
)
def test_a_secret_in_the_environment(name: str, value: str, warned: bool) -> None:
    """In engine.env as in the template's; named, and never shown."""
    given = [{"name": name, "value": value}]
    for provider in (run({"env": given}), run(podTemplate=pod(env=given))):
        said = of(provider)
        assert said.keys() == ({"SecretInEnvironment"} if warned else set())
        assert name in said.get("SecretInEnvironment", name)
        assert not any(value in each for each in said.values())


def test_a_secret_that_is_taken_from_a_secret() -> None:
    """Nothing is in the open."""
    taken = {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}}
    assert of(run({"env": [taken]}, podTemplate=pod(env=[taken]))) == {}


@pytest.mark.parametrize(
    ("args", "warned"),
    [
        (["--allowed-local-media-path=/"], True),
        (["--allowed_local_media_path", "/"], True),
        (["--allowed-local=/var/run/secrets"], True),
        (["--allowed-local-media-path=/media/../etc"], True),
        (["--allowed-local-media-path=/var"], True),
        (["--allowed-local-media-path=/data/media"], False),
        (["--allowed-local-media-path=/variety"], False),
        (["--allowed-local-media-path=/", "--allowed-local-media-path=/data"], False),
        (["--allowed-local-media-path"], False),
    ],
)
def test_files_that_requests_may_name(args: list[str], warned: bool) -> None:
    """A folder of media is what the flag is for; where tokens, keys or weights are, it is not."""
    said = of(run({"extraArgs": args}))
    assert said.keys() == ({"LocalFiles"} if warned else set())
