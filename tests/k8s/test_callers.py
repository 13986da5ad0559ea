"""Gateways count quotas together, and each has an audit file of its own."""

import asyncio
import contextlib
import re
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bentos.audit.trail import Event, Trail
from bentos.callers.quota_store import QuotaStore
from bentos.settings import Settings
from bentos.settings_checks import variable_of
from loadtests.load_generator import free_port
from tests.k8s import chart
from tests.k8s.chart import ON
from tests.k8s.rendering import K8S, Manifest, find, of_kind
from tests.k8s.test_history import gateway, rules
from tests.service import redis_server
from tests.waiting import until
from tools.kubectl import kubectl
from tools.preflight.manifests import Manifests

Rendered = dict[str, list[Manifest]]
DOCUMENTED = (K8S / "README.md").read_text().partition("## Quotas")[2].partition("\n## ")[0]


def variables(manifests: list[Manifest]) -> dict[str, Any]:
    """The variables of a gateway, in their order."""
    (container,) = gateway(manifests)["containers"]
    return {each["name"]: each for each in container["env"]}


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the commands of the README make for the store to try."""
    folder = tmp_path_factory.mktemp("secrets")
    files, _ = re.findall(r"^```\n(.*?)^```$", DOCUMENTED, re.M | re.S)
    subprocess.run(["bash", "-ec", files], cwd=folder, check=True)
    return folder


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def test_address_of_the_store_comes_from_the_secret_that_the_readme_makes(
    rendered: Rendered, secrets: Path
) -> None:
    _, command = re.findall(r"^```\n(.*?)^```$", DOCUMENTED, re.M | re.S)
    dry = f'kubectl() {{ {kubectl()} "$@" --dry-run=client -o yaml; }}\n'
    done = subprocess.run(
        ["bash", "-ec", dry + command], cwd=secrets, check=True, capture_output=True, text=True
    )
    secret = yaml.safe_load(done.stdout)
    named = variables(rendered["base+redis"])[variable_of("quota_store")]["valueFrom"]

    assert named == {"secretKeyRef": {"name": secret["metadata"]["name"], "key": "address"}}
    assert set(secret["data"]) == {"address", "password"}
    address = (secrets / "secrets/quota-address").read_text()
    assert Settings(quota_store=address).quota_store.get_secret_value() == address


@redis_server.needed()
def test_store_for_trying_counts_for_those_with_its_password(
    rendered: Rendered, secrets: Path, tmp_path: Path
) -> None:
    """Redis, which takes the same options, for the image's Valkey."""
    spec = find(rendered["base+redis-trial"], "StatefulSet", "redis-trial")["spec"]["template"]
    (container,) = spec["spec"]["containers"]
    password = (secrets / "secrets/quota-password").read_text()
    options = [each.replace("$(PASSWORD)", password) for each in container["args"]]
    assert options != container["args"]
    port = free_port()
    where = ["--port", str(port), "--bind", "127.0.0.1"]
    address = (secrets / "secrets/quota-address").read_text()
    address = address.replace("redis-trial:6379", f"127.0.0.1:{port}")

    async def spend(url: str) -> bool:
        stores = [QuotaStore(url) for _ in range(2)]
        spent = [await each.spend("a", 1, 1) for each in stores]
        for each in stores:
            await each.close()
        return spent == [True, False]

    process = subprocess.Popen(["redis-server", *options, *where], cwd=tmp_path)
    try:
        until(lambda: listens(port))
        with redis_server.patience():
            together = asyncio.run(spend(address))
            stranger = asyncio.run(spend(f"redis://127.0.0.1:{port}/1"))
    finally:
        process.kill()
        process.wait(30)

    assert together
    assert not stranger


def test_store_for_trying_is_reached_by_gateways_alone_and_sends_nothing(
    rendered: Rendered,
) -> None:
    (policy,) = of_kind(rendered["base+redis-trial"], "NetworkPolicy")
    (rule,) = policy["spec"]["ingress"]

    assert policy["spec"]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "redis-trial"}
    assert rule["from"] == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "gateway"}}}]
    assert policy["spec"]["egress"] == []
    assert set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}


def test_no_overlay_has_a_store_for_trying(rendered: Rendered) -> None:
    for mix, manifests in rendered.items():
        found = "redis-trial" in {each["metadata"]["name"] for each in manifests}
        assert found == ("redis-trial" in mix.split("+")), mix


def test_preflight_asks_for_the_secret_of_the_store(rendered: Rendered) -> None:
    named = {name for _, name in Manifests(rendered["base+redis"]).secrets}

    assert named == {"chestxray-quota-store"}


def test_every_gateway_has_an_audit_file_of_its_own_on_a_volume_of_all(
    rendered: Rendered, tmp_path: Path
) -> None:
    manifests = rendered["base+audit"]
    pod = gateway(manifests)
    found = variables(manifests)
    named = found[variable_of("audit_file")]["value"]
    (mount,) = [e for e in pod["containers"][0]["volumeMounts"] if e["name"] == "audit"]
    (volume,) = [each for each in pod["volumes"] if each["name"] == "audit"]
    claim = find(manifests, "PersistentVolumeClaim", "gateway-audit")

    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    # Kubernetes expands only what is defined further up.
    assert list(found).index("POD_NAME") < list(found).index(variable_of("audit_file"))
    for name in ("gateway-a", "gateway-b"):
        path = named.replace("$(POD_NAME)", name).replace(mount["mountPath"], str(tmp_path))
        Trail(Settings(audit_file=path).audit_file).record(Event.READ, "key:00112233")
    assert {path.name for path in tmp_path.iterdir()} == {"gateway-a.jsonl", "gateway-b.jsonl"}


def test_chart_takes_the_secret_the_port_and_the_volume_from_values() -> None:
    quotas = {"existingSecret": "own-store", "port": 6380}
    storage = {"size": "20Gi", "className": "files"}
    made = chart.template(
        {
            "quotas": ON | {"trial": ON} | quotas,
            "audit": ON | {"storage": storage},
            "networkPolicies": ON,
        }
    )
    claim = find(made, "PersistentVolumeClaim", "gateway-audit")

    assert {name for _, name in Manifests(made).secrets} == {"own-store"}
    assert ("gateway", 6380) in set(rules(made))
    assert ("gateway", 6379) not in set(rules(made))
    assert claim["spec"]["storageClassName"] == "files"
    assert claim["spec"]["resources"]["requests"]["storage"] == "20Gi"
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
