"""What manifests ask of a cluster is found in every kind that may ask it."""

import yaml

from tests.conftest import ROOT
from tools.preflight.manifests import Manifests


def test_claims_of_a_stateful_set_are_among_the_claims() -> None:
    path = ROOT / "k8s/components/dicom/statefulset.yaml"
    manifests = Manifests([yaml.safe_load(path.read_text())])

    (claim,) = manifests.claims
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_key_that_a_pod_can_start_without_is_not_missing() -> None:
    path = ROOT / "k8s/components/postgres/gateway.yaml"
    manifests = Manifests([yaml.safe_load(path.read_text())])

    assert manifests.keys_of("default", "chestxray-history") == {"cookie-secret"}
    assert manifests.keys_of("default", "chestxray-database") == {"address"}
    assert manifests.keys_of("elsewhere", "chestxray-database") == set()


def test_secret_that_a_pod_can_start_without_is_not_missing() -> None:
    path = ROOT / "k8s/components/dicom/statefulset.yaml"

    assert Manifests([yaml.safe_load(path.read_text())]).secrets == set()
