"""The Job that fetches a model."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fleet.workloads import CASES, container, rendered
from pointsman.fleet.workload_prefetch import name as job_name


def test_one_job_fetches_with_the_engines_cache_and_without_a_gpu() -> None:
    """On the nodes that engines run on; the hub's token is the Job's alone."""
    made = rendered(**CASES["cache"])
    assert made.prefetch
    spec = made.prefetch["spec"]["template"]["spec"]
    (fetching,) = spec["containers"]
    assert "resources" not in fetching
    assert spec["restartPolicy"] == "Never"
    assert fetching["terminationMessagePolicy"] == "FallbackToLogsOnError"
    engine = made.engine["spec"]["template"]["spec"]
    for key in ("tolerations", "securityContext", "automountServiceAccountToken"):
        assert spec[key] == engine[key]
    caches = [[each for each in of["volumes"] if each["name"] == "cache"] for of in (spec, engine)]
    assert caches[0] == caches[1]
    tokens = [
        [each["name"] for each in of["env"] if each["name"] == "HF_TOKEN"] for of in (fetching, engine["containers"][0])
    ]
    assert tokens == [["HF_TOKEN"], []]


def test_without_a_cache_that_is_shared_nothing_is_fetched_ahead() -> None:
    """Each engine fetches for itself, with the token."""
    made = rendered(model=CASES["cache"]["model"])
    assert made.prefetch is None
    assert any(each["name"] == "HF_TOKEN" for each in container(model=CASES["cache"]["model"])["env"])


@given(
    st.from_regex(r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?", fullmatch=True),
    st.from_regex(r"[0-9a-f]{8,12}", fullmatch=True),
)
def test_a_jobs_name_fits_and_tells_provider_and_model(provider: str, digest: str) -> None:
    """A label of its Pods holds 63 characters; long names differ in more than their end."""
    made = job_name(provider, digest)
    assert len(made) <= 63
    assert made.endswith(f"-prefetch-{digest}")
    assert job_name(f"{provider[:51]}0", digest) != job_name(f"{provider[:51]}1", digest)
