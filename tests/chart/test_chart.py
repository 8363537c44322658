"""The chart for several values: what it renders, and what it refuses."""

from typing import Any

import pytest

from chart.rendering import CHART, helm, render
from pointsman.__main__ import parser

MONITORING = ("monitoring.coreos.com/v1/PodMonitor", "monitoring.coreos.com/v1/PrometheusRule")


def test_helm_finds_nothing_wrong() -> None:
    """`helm lint --strict`, schema included."""
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART)).stdout


def test_the_default_is_one_operator_and_a_gateway() -> None:
    """Nothing of monitoring where the cluster does not know it."""
    assert render().kinds() == [
        "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "CustomResourceDefinition", "Deployment",
        "Deployment", "PodDisruptionBudget", "Service", "Service", "Service", "ServiceAccount",
    ]  # fmt: skip


def test_the_operator_is_one_and_never_two() -> None:
    """Two operators would fight over every object."""
    spec = render().one("Deployment", "-operator")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


@pytest.mark.parametrize("name", ["-operator", "-gateway"])
def test_the_command_lines_are_understood(name: str) -> None:
    """What the chart writes, the program's own parser reads."""
    [container] = render('watchNamespaces=["a","b"]', "gateway.workers=2").pod(name)["containers"]
    program, *words = container["command"] + container["args"]
    assert program == "pointsman"
    arguments = parser().parse_args(words)
    if name == "-operator":
        assert arguments.namespace == ["a", "b"]
        assert (arguments.health_port, arguments.metrics_port) == (8081, 9090)
    else:
        assert (arguments.listen, arguments.workers) == ("0.0.0.0:8080", 2)


def pods() -> dict[str, Any]:
    rendered = render(tests=True)
    return {name: rendered.pod(name) for name in ("-operator", "-gateway")} | {"-test": rendered.one("Pod")["spec"]}


@pytest.mark.parametrize("name", ["-operator", "-gateway", "-test"])
def test_pods_meet_the_restricted_standard(name: str) -> None:
    """And more than that: the root file system cannot be written to, and only the operator holds a token."""
    pod = pods()[name]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is (name == "-operator")
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip


def test_the_gateway_drains_before_it_ends() -> None:
    """preStop, the program's own grace and a rest fit into the Pod's grace period."""
    pod = render("gateway.drainSeconds=300", "gateway.preStopSeconds=7").pod("-gateway")
    [container] = pod["containers"]
    assert container["lifecycle"]["preStop"] == {"sleep": {"seconds": 7}}
    assert "--grace=300" in container["args"]
    assert pod["terminationGracePeriodSeconds"] > 307


def test_watched_namespaces_get_roles_and_no_cluster_role() -> None:
    """Least privilege: nothing outside the namespaces that were named."""
    rendered = render('watchNamespaces=["ai","research"]')
    assert not rendered.all("ClusterRole")
    assert not rendered.all("ClusterRoleBinding")
    assert [role["metadata"]["namespace"] for role in rendered.all("Role")] == ["ai", "research"]
    assert [role["metadata"]["namespace"] for role in rendered.all("RoleBinding")] == ["ai", "research"]
    for binding in rendered.all("RoleBinding"):
        assert binding["subjects"][0]["namespace"] == "pointsman-system"
    [namespaces] = [rule for rule in rendered.all("Role")[0]["rules"] if rule["resources"] == ["namespaces"]]
    assert namespaces["verbs"] == ["get"]


def test_rights_are_few() -> None:
    """No wildcard, no finalizers, no listing of Secrets, nothing of RBAC, no exec."""
    rules = render().one("ClusterRole")["rules"]
    assert not any("*" in (*rule["resources"], *rule["verbs"], *rule["apiGroups"]) for rule in rules)
    named = [resource for rule in rules for resource in rule["resources"]]
    assert not any(word in each for each in named for word in ("finalizers", "exec", "role", "nodes"))
    for rule in rules:
        if "secrets" in rule["resources"]:
            assert rule.get("resourceNames") == ["pointsman-credentials", "pointsman-engine-keys"] or rule["verbs"] == [
                "get"
            ]


def test_gateways_in_several_namespaces() -> None:
    """A gateway serves the routes of its own namespace."""
    rendered = render('gateway.namespaces=["ai","research"]')
    services = [body["metadata"] for body in rendered.all("Service")]
    homes = [metadata["namespace"] for metadata in services if metadata["name"] == "pointsman-gateway"]
    assert homes == ["ai", "research"]
    assert len(rendered.all("PodDisruptionBudget")) == 2
    assert len(rendered.all("Deployment")) == 3


def test_without_a_gateway() -> None:
    """Sidecars alone are a way to run it."""
    rendered = render("gateway.enabled=false", tests=True)
    assert [body["metadata"]["name"] for body in rendered.all("Service")] == ["pointsman-operator"]
    assert "gateway" not in str(rendered.one("Pod"))


def test_crds_can_be_left_out_and_are_kept() -> None:
    """With the CRDs helm would delete every object of theirs."""
    assert not render("crds.install=false").all("CustomResourceDefinition")
    for crd in render().all("CustomResourceDefinition"):
        assert crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_a_digest_wins_over_a_tag() -> None:
    """Images can be pinned for good."""
    digest = "sha256:" + "0" * 64
    [container] = render(f"image.digest={digest}", "image.tag=x").pod("-gateway")["containers"]
    assert container["image"] == f"pointsman@{digest}"
    secrets = render('image.pullSecrets=[{"name":"registry"}]')
    assert secrets.pod("-operator")["imagePullSecrets"] == [{"name": "registry"}]


def test_monitoring_comes_where_the_cluster_knows_it() -> None:
    """And the operator's own `namespace` label, by which alerts join, survives the scrape."""
    rendered = render(apis=MONITORING)
    operator = rendered.one("PodMonitor", "-operator")["spec"]["podMetricsEndpoints"][0]
    assert (operator["port"], operator["honorLabels"]) == ("metrics", True)
    assert rendered.one("PodMonitor", "-gateway")["spec"]["selector"]["matchLabels"] == {
        "pointsman.dev/gateway": "true"
    }
    off = render("podMonitor.enabled=false", "prometheusRule.enabled=false", apis=MONITORING)
    assert not off.all("PodMonitor")
    assert not off.all("PrometheusRule")


def test_alerts_lead_to_runbooks() -> None:
    """A base URL of one's own in front of each."""
    base = "https://git.example.com/pointsman/"
    rules = render(f"prometheusRule.runbookBaseUrl={base}", apis=MONITORING).one("PrometheusRule")
    alerts = [rule for group in rules["spec"]["groups"] for rule in group["rules"]]
    assert alerts
    for alert in alerts:
        assert alert["annotations"]["runbook_url"] == f"{base}docs/runbooks/{alert['alert']}.md"


def test_network_policies_let_the_operator_ask_every_gateway() -> None:
    """Otherwise no route would ever be Programmed."""
    values = ("networkPolicy.enabled=true", 'networkPolicy.gatewayFrom=[{"podSelector":{}}]')
    rendered = render(*values, 'networkPolicy.gatewayEgress=[{"to":[{"ipBlock":{"cidr":"10.0.0.0/8"}}]}]')
    spec = rendered.one("NetworkPolicy", "-gateway")["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    [asking] = spec["ingress"][0]["from"]
    assert asking["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "operator"
    assert spec["ingress"][1]["from"] == [{"podSelector": {}}]
    assert not render().all("NetworkPolicy")


@pytest.mark.parametrize(
    "wrong",
    ["gateway.replica=3", "gateway.workers=0", "image.pullPolicy=Sometimes", "watchNamespaces=ai", "image.digest=abc"],
)
def test_wrong_values_are_refused(wrong: str) -> None:
    """A misspelt value must not be ignored."""
    done = helm("template", "pointsman", str(CHART), "--set", wrong, check=False)
    assert done.returncode != 0
    assert wrong.split("=", maxsplit=1)[0].rsplit(".", maxsplit=1)[-1] in done.stderr


def test_the_notes_say_what_to_do_next() -> None:
    """With names that are true for these values."""
    words = ["install", "up", str(CHART), "--namespace", "models", "--dry-run=client", "--hide-notes=false"]
    notes = helm(*words).stdout
    assert "http://up-pointsman-gateway.models.svc:8080/v1" in notes
    assert "helm test up --namespace models" in notes
