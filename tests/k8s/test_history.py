"""Gateways that keep analyses get their places and Secrets, and no other pod does."""

from collections.abc import Iterator

import pytest

from bentos.settings import Settings
from bentos.settings_checks import variable_of
from tests.k8s import chart
from tests.k8s.chart import CHECKSUM, OF_STORE, ON, Values
from tests.k8s.rendering import Manifest, Mix, build, find, of_kind, pods, write_mix
from tests.k8s.test_chart_values import refusal
from tools.preflight.manifests import Manifests

Rendered = dict[str, list[Manifest]]
PLACES: Mix = ("network-policies", "postgres", "object-store")
DATABASE, BUCKET = 5432, 443
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


def test_migration_has_the_image_of_its_gateway_in_the_chart() -> None:
    made = chart.template({"history": ON, "image": {"repository": "own", "tag": "2"}})
    spec = gateway(made)

    assert [each["image"] for each in spec["initContainers"] + spec["containers"]] == ["own:2"] * 2


@pytest.mark.parametrize(
    ("components", "opened"),
    [
        ((), set()),
        (("postgres",), {DATABASE}),
        (("object-store",), {BUCKET}),
        (("postgres", "object-store"), {DATABASE, BUCKET}),
        (("postgres", "postgres-trial", "object-store"), {DATABASE, BUCKET}),
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
    for mix in ("base+postgres", "base+object-store"):
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


def test_chart_takes_the_names_of_secrets_and_the_ports_from_values() -> None:
    places: Values = {
        "existingSecret": "own-history",
        "database": {"existingSecret": "own-database", "port": 6432},
        "objectStore": {"existingSecret": "own-bucket", "port": 9000},
    }
    made = chart.template({"history": ON | {"trial": ON} | places, "networkPolicies": ON})

    assert {name for _, name in Manifests(made).secrets} == {
        "own-history",
        "own-database",
        "own-bucket",
    }
    assert {("gateway", 6432), ("gateway", 9000)} <= set(rules(made))
    assert ("gateway", DATABASE) not in set(rules(made))


def test_chart_uses_the_identity_of_the_service_account_without_a_secret_of_the_bucket() -> None:
    role = {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/chestxray"}
    store: Values = {"existingSecret": "", "endpoint": "", "serviceAccountAnnotations": role}
    made = chart.template({"history": ON | {"objectStore": store}})
    (container,) = gateway(made)["containers"]

    assert find(made, "ServiceAccount", "gateway")["metadata"]["annotations"] == role
    assert not [each for each in container["env"] if each["name"].startswith("AWS_")]
    assert set(find(made, "ConfigMap", "object-store")["data"]) == {
        variable_of("object_store"),
        "AWS_REGION",
    }


def test_changed_bucket_rolls_the_gateways_of_a_release() -> None:
    sums = []
    for bucket in ("s3://one", "s3://two"):
        made = chart.template({"history": ON | {"objectStore": {"bucket": bucket}}})
        pod = find(made, "Deployment", "gateway")["spec"]["template"]["metadata"]
        assert CHECKSUM in pod["annotations"]
        sums.append(pod["annotations"][OF_STORE])

    assert sums[0] != sums[1]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"history": {"objectStore": {"bucket": "chestxray"}}}, "bucket"),
        ({"history": {"database": {"password": "secret"}}}, "password"),
        ({"settings": {"CHESTXRAY_OBJECT_STORE": "s3://chestxray"}}, "history.objectStore.bucket"),
    ],
)
def test_secret_in_a_value_and_bucket_among_the_settings_are_refused(
    values: Values, named: str
) -> None:
    assert named in refusal("template", values)
