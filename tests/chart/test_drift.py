"""What is made from something else is still what would be made from it."""

import tomllib

import yaml

from chart.rendering import CHART, ROOT, render
from pointsman.names import (
    CREDENTIALS_SECRET,
    ENGINE_KEYS_SECRET,
    GATEWAY_LABEL,
    GATEWAY_PORT,
    ROUTING_CONFIGMAP,
    ROUTING_FILE,
)


def test_the_charts_crds_are_the_repositorys_byte_for_byte() -> None:
    """`make crds` writes both folders."""
    theirs = {path.name: path.read_bytes() for path in (ROOT / "crds").iterdir()}
    assert {path.name: path.read_bytes() for path in (CHART / "files" / "crds").iterdir()} == theirs


def test_install_yaml_is_the_rendered_chart() -> None:
    """`make manifests` writes it."""
    assert (ROOT / "manifests" / "install.yaml").read_text() == render("createNamespace=true").text


def test_chart_package_and_samples_are_of_one_version() -> None:
    """The image's tag is the package's version."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (version, version)
    assert f"image: pointsman:{version}" in (ROOT / "manifests/samples/sidecar.yaml").read_text()


def test_chart_and_code_spell_names_alike() -> None:
    """The ConfigMap, the Secret, the label and the port are those of pointsman.names."""
    rendered = render()
    pod = rendered.pod("-gateway")
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["routing"]["configMap"] == {"name": ROUTING_CONFIGMAP, "optional": True}
    assert volumes["credentials"]["secret"]["secretName"] == CREDENTIALS_SECRET
    [container] = pod["containers"]
    assert f"--table=/etc/pointsman/routing/{ROUTING_FILE}" in container["args"]
    assert container["ports"] == [{"name": "gateway", "containerPort": GATEWAY_PORT, "protocol": "TCP"}]
    labels = rendered.one("Deployment", "-gateway")["spec"]["template"]["metadata"]["labels"]
    assert labels[GATEWAY_LABEL] == "true"
    rules = [rule for rule in rendered.one("ClusterRole")["rules"] if "resourceNames" in rule]
    assert [rule["resourceNames"] for rule in rules] == [[ROUTING_CONFIGMAP], [CREDENTIALS_SECRET, ENGINE_KEYS_SECRET]]
