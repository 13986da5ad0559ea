"""Gateways that keep analyses get their places and Secrets, and no other pod does."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bentos.database import schema
from bentos.database.database import Database
from bentos.settings import Settings
from bentos.settings_checks import variable_of
from tests.conftest import ROOT
from tests.k8s.rendering import K8S, Manifest, Mix, build, find, of_kind, pods, write_mix
from tests.service import postgres
from tools.kubectl import kubectl
from tools.preflight.manifests import Manifests

Rendered = dict[str, list[Manifest]]
PLACES: Mix = ("network-policies", "postgres", "object-store")
DATABASE, BUCKET, QUOTAS = 5432, 443, 6379
DOCUMENTED = (K8S / "README.md").read_text().partition("## Kept analyses")[2].partition("\n## ")[0]
SECRETS = {
    variable_of("database"): "postgresql://chestxray:secret@postgres-trial/chestxray",
    variable_of("cookie_secret"): "c" * 32,
    variable_of("encryption_keys"): "",
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "secret",
}
"""What an operator's Secrets may say."""


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    """The objects of a base with places for kept analyses."""
    return build(write_mix(tmp_path_factory.mktemp("mix"), PLACES))


def gateway(manifests: list[Manifest]) -> Manifest:
    return dict(find(manifests, "Deployment", "gateway")["spec"]["template"]["spec"])


def environment(container: Manifest, manifests: list[Manifest]) -> dict[str, str]:
    """What a container reads, with the Secrets of an operator."""
    maps = {each["metadata"]["name"]: each["data"] for each in of_kind(manifests, "ConfigMap")}
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        found |= maps[source["configMapRef"]["name"]]
    for each in container["env"]:
        if "secretKeyRef" in each.get("valueFrom", {}):
            found[each["name"]] = SECRETS[each["name"]]
        elif "value" in each:
            found[each["name"]] = each["value"]
    return found


def settings_of(
    container: Manifest, manifests: list[Manifest], monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """The settings that a program in this container has."""
    for name, value in environment(container, manifests).items():
        monkeypatch.setenv(name, value)
    return Settings()


def rules(manifests: list[Manifest]) -> Iterator[tuple[str, object]]:
    """Every port that a policy lets pods send to, with the policy's name."""
    for policy in of_kind(manifests, "NetworkPolicy"):
        for rule in policy["spec"].get("egress", []):
            for each in rule["ports"]:
                yield policy["metadata"]["name"], each["port"]


def test_settings_of_a_gateway_name_both_places(
    placed: list[Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    (container,) = gateway(placed)["containers"]
    settings = settings_of(container, placed, monkeypatch)

    assert settings.keeps
    assert settings.database.get_secret_value() == SECRETS[variable_of("database")]
    assert settings.object_store == "s3://chestxray"
    assert not settings.data_folder


def test_every_other_pod_of_ours_has_valid_settings_beside_gateways_that_keep(
    rendered: Rendered, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set()
    for mix, manifests in rendered.items():
        if not {"postgres", "object-store", "classifier"} <= set(mix.split("+")):
            continue
        for workload in of_kind(manifests, "Deployment", "StatefulSet"):
            name = workload["metadata"]["name"]
            (container,) = workload["spec"]["template"]["spec"]["containers"]
            if name not in ("classifier", "dicom") or name in seen:
                continue
            with monkeypatch.context() as context:
                needed = [each for each in container["env"] if "value" in each]
                settings = settings_of(container | {"env": needed}, manifests, context)
            assert not settings.keeps, (mix, name)
            seen.add(name)
    assert seen == {"classifier", "dicom"}


def test_migration_runs_before_the_gateway_with_the_database_alone(
    placed: list[Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    (migration,) = gateway(placed)["initContainers"]
    (container,) = gateway(placed)["containers"]
    settings = settings_of(migration, placed, monkeypatch)

    assert (migration["command"], migration["args"]) == (["chestxray"], ["migrate"])
    assert migration["image"] == container["image"]
    assert settings.database.get_secret_value() == SECRETS[variable_of("database")]
    assert {each["name"] for each in migration["env"]} == {
        variable_of("database"),
        variable_of("data_folder"),
    }
    assert settings.data_folder in {each["mountPath"] for each in migration["volumeMounts"]}


@postgres.needed()
def test_migration_brings_an_empty_database_to_the_newest_version(
    placed: list[Manifest], tmp_path: Path
) -> None:
    (migration,) = gateway(placed)["initContainers"]
    program = [sys.executable, "-m", "bentos.cli", *migration["args"]]

    with postgres.postgres() as server:
        address = server.database()
        variables = environment(migration, placed) | {variable_of("database"): address}
        done = subprocess.run(
            program, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=60
        )

        assert done.returncode == 0, done.stderr
        assert asyncio.run(is_current(address))


async def is_current(address: str) -> bool:
    database = Database(address)
    try:
        return await schema.is_current(database)
    finally:
        await database.close()


@pytest.mark.parametrize(
    ("components", "opened"),
    [
        ((), set()),
        (("postgres",), {DATABASE}),
        (("object-store",), {BUCKET}),
        (("postgres", "object-store"), {DATABASE, BUCKET}),
        (("postgres", "postgres-trial", "object-store"), {DATABASE, BUCKET}),
        (("redis",), {QUOTAS}),
        (("redis", "redis-trial", "audit"), {QUOTAS}),
        (("postgres", "object-store", "redis"), {DATABASE, BUCKET, QUOTAS}),
    ],
)
def test_policies_open_the_places_of_composed_components_to_gateways_alone(
    components: Mix, opened: set[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    def built(*names: str) -> set[tuple[str, object]]:
        folder = tmp_path_factory.mktemp("policies")
        return set(rules(build(write_mix(folder, ("network-policies", *names)))))

    assert built(*components) - built() == {("gateway", port) for port in opened}


def test_components_add_no_policy_of_gateways_where_there_is_none(rendered: Rendered) -> None:
    for mix in ("base+postgres", "base+object-store", "base+webhooks", "base+redis"):
        assert of_kind(rendered[mix], "NetworkPolicy") == []


def test_database_for_trying_is_reached_by_gateways_alone_and_sends_nothing(
    rendered: Rendered,
) -> None:
    (policy,) = of_kind(rendered["base+postgres-trial"], "NetworkPolicy")
    (rule,) = policy["spec"]["ingress"]
    (peer,) = rule["from"]

    assert policy["spec"]["podSelector"]["matchLabels"] == {
        "app.kubernetes.io/name": "postgres-trial"
    }
    assert peer == {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "gateway"}}}
    assert rule["ports"] == [{"port": "postgres"}]
    assert set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}
    assert policy["spec"]["egress"] == []


def test_database_for_trying_has_probes_a_fixed_image_and_a_folder_of_its_own(
    rendered: Rendered,
) -> None:
    spec = find(rendered["base+postgres-trial"], "StatefulSet", "postgres-trial")["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    (folder,) = [each["value"] for each in container["env"] if each["name"] == "PGDATA"]
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}

    assert container["image"].partition(":")[2] not in ("", "latest")
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["exec"]["command"][0] == "pg_isready"
    assert folder.startswith(f"{mounts['data']}/")
    assert spec["volumeClaimTemplates"][0]["metadata"]["name"] == "data"


def test_no_overlay_has_a_database_for_trying(rendered: Rendered) -> None:
    for mix, manifests in rendered.items():
        found = "postgres-trial" in {each["metadata"]["name"] for each in manifests}
        assert found == ("postgres-trial" in mix.split("+")), mix


def test_preflight_asks_for_each_secret_and_not_for_a_part_that_is_optional(
    placed: list[Manifest],
) -> None:
    assert {name for _, name in Manifests(placed).secrets} == {
        "chestxray-database",
        "chestxray-history",
        "chestxray-object-store",
    }
    optional = [
        each["name"]
        for _, pod in pods(placed)
        for container in pod["containers"]
        for each in container["env"]
        if each.get("valueFrom", {}).get("secretKeyRef", {}).get("optional")
    ]
    assert optional == [variable_of("encryption_keys")]


def test_commands_of_the_readme_make_secrets_with_the_keys_and_values_that_pods_need(
    placed: list[Manifest], tmp_path: Path
) -> None:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", DOCUMENTED, re.M | re.S)
    files, keys, secrets = [text for language, text in blocks if not language]
    dry = f'kubectl() {{ {kubectl()} "$@" --dry-run=client -o yaml; echo ---; }}\n'
    for command in (files, keys, "cd secrets && touch access-key-id secret-access-key"):
        subprocess.run(["bash", "-ec", command], cwd=tmp_path, check=True)

    done = subprocess.run(
        ["bash", "-ec", dry + secrets], cwd=tmp_path, check=True, capture_output=True, text=True
    )

    made = {each["metadata"]["name"]: each for each in yaml.safe_load_all(done.stdout) if each}
    asked = [
        each["valueFrom"]["secretKeyRef"]
        for container in gateway(placed)["containers"]
        for each in container["env"]
        if "secretKeyRef" in each.get("valueFrom", {})
    ]
    assert asked
    assert all(each["key"] in made[each["name"]]["data"] for each in asked)
    assert Settings(
        object_store="s3://chestxray",
        **{
            setting: (tmp_path / "secrets" / file).read_text()
            for setting, file in (
                ("database", "address"),
                ("cookie_secret", "cookie-secret"),
                ("encryption_keys", "encryption-keys"),
            )
        },
    ).keeps
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0


def test_overlay_of_the_readme_names_the_bucket(tmp_path: Path) -> None:
    (lines,) = re.findall(r"```yaml\n(.*?)```", DOCUMENTED, re.S)
    changes = yaml.safe_load(lines)
    named = [each.rpartition("/")[2] for each in changes.pop("components")]
    path = write_mix(tmp_path, named) / "kustomization.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))

    data = find(build(tmp_path), "ConfigMap", "object-store")["data"]

    assert data == yaml.safe_load(changes["patches"][0]["patch"])["data"]
