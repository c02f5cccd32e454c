"""The manifests, the compose files and the Dockerfile say what a safe deployment needs."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands

ROOT = Path(settings.BASE_DIR)
FOLDER = ROOT / "docs" / "deploy" / "kubernetes"
MANIFESTS = [manifest for file in sorted(FOLDER.glob("*.yaml")) for manifest in yaml.safe_load_all(file.read_text())]
NAMES = [f"{manifest['kind']} {manifest['metadata']['name']}" for manifest in MANIFESTS]
KUBERNETES = "1.34"
SECRETS = {"DATABASE_URL_FILE", "SECRET_KEY_FILE", "KEY_ENCRYPTION_KEYS_FILE"}


def find_pods() -> dict[str, dict[str, Any]]:
    """The pod of each workload, by the first argument of its container."""
    pods = [manifest["spec"]["template"]["spec"] for manifest in MANIFESTS if "template" in manifest.get("spec", {})]
    return {pod["containers"][0]["args"][0]: pod for pod in pods}


@pytest.mark.parametrize("manifest", MANIFESTS, ids=NAMES)
def test_it_follows_the_schema_of_kubernetes(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_it_runs_commands_that_exist() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    commands = {service["command"][0] for service in services.values() if "command" in service}
    assert (find_pods().keys() | commands | {"probe"}) <= get_commands().keys()
    assert find_pods().keys() == {"migrate", "serve", "worker"}


@pytest.mark.parametrize("name", ["migrate", "serve", "worker"])
def test_a_pod_has_few_rights(name: str) -> None:
    pod = find_pods()[name]
    container = pod["containers"][0]["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["readOnlyRootFilesystem"]
    assert not container["allowPrivilegeEscalation"]
    assert not pod["automountServiceAccountToken"]


@pytest.mark.parametrize("name", ["migrate", "serve", "worker"])
def test_a_pod_reads_its_secrets_from_files(name: str) -> None:
    (config,) = [manifest["data"] for manifest in MANIFESTS if manifest["kind"] == "ConfigMap"]
    pod = find_pods()[name]
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert config.keys() >= SECRETS
    assert all(config[name].startswith(f"{mounts['secrets']}/") for name in SECRETS)
    assert "/tmp" in mounts.values()  # noqa: S108 - of the container


def test_the_web_app_is_replaced_without_a_gap() -> None:
    (web,) = [manifest for manifest in MANIFESTS if manifest["kind"] == "Deployment"]
    container = web["spec"]["template"]["spec"]["containers"][0]
    assert web["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_each_budget_selects_a_workload() -> None:
    budgets = [m["spec"]["selector"] for m in MANIFESTS if m["kind"] == "PodDisruptionBudget"]
    workloads = [m["spec"]["selector"] for m in MANIFESTS if m["kind"] in ("Deployment", "StatefulSet")]
    assert sorted(budgets, key=str) == sorted(workloads, key=str)


def test_the_worker_keeps_its_data_folder() -> None:
    (worker,) = [manifest for manifest in MANIFESTS if manifest["kind"] == "StatefulSet"]
    (claim,) = worker["spec"]["volumeClaimTemplates"]
    mounts = worker["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert {"name": claim["metadata"]["name"], "mountPath": "/var/lib/review-desk"} in mounts


def test_compose_reads_secrets_from_files() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    for name in ("migrate", "web", "worker"):
        service = compose["services"][name]
        files = {service["environment"][variable] for variable in SECRETS}
        assert files == {f"/run/secrets/{secret}" for secret in service["secrets"]}
        assert service["read_only"]
    used = {secret for service in compose["services"].values() for secret in service.get("secrets", [])}
    assert used == compose["secrets"].keys()


def test_compose_with_laminar_changes_services_that_exist() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    joined = yaml.safe_load((ROOT / "compose.laminar.yaml").read_text())
    assert joined["services"].keys() <= compose["services"].keys()


def test_the_image_runs_as_nobody_special() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    (user,) = re.findall(r"^USER (\d+):", dockerfile, re.MULTILINE)
    pods = find_pods().values()
    assert {int(user)} == {pod["securityContext"]["runAsUser"] for pod in pods} == {10001}
    assert f":{user}:" in (ROOT / "docs/deploy/build-image.sh").read_text()
    assert "HEALTHCHECK" in dockerfile
