"""An archive forwards a study to us, and gets the results into it: DICOM network and DICOMweb."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import ComputedRadiographyImageStorage, generate_uid

from loadtests.load_generator import free_port
from tests import dicoms
from tests.phantoms import phantom
from tests.results_in_study import IN_A_STUDY
from tests.service import orthanc
from tests.service.dicom_node import RESULTS, node
from tests.service.orthanc import TITLE
from tests.service.server import Server, serve
from tests.waiting import until

pytestmark = orthanc.needed()

WHOLE = sorted([ComputedRadiographyImageStorage, *RESULTS])
PEERS = {"CHESTXRAY_DICOM_PEERS": f'["{TITLE}@127.0.0.1"]'}


def film(study: str) -> bytes:
    pixels = phantom(400, 480).astype(np.uint16) * 16
    return dicoms.film(pixels, **{**IN_A_STUDY, "StudyInstanceUID": study})


@pytest.mark.parametrize("by", ["C-STORE", "STOW-RS"])
def test_study_that_orthanc_forwards_gets_its_results(
    tmp_path: Path, open_server: Server, by: str
) -> None:
    study, port = generate_uid(), free_port()
    with orthanc.orthanc(tmp_path, node_port=port) as archive:
        destination = {
            "C-STORE": f"dicom://{TITLE}@127.0.0.1:{archive.dicom_port}",
            "STOW-RS": archive.dicomweb,
        }[by]
        with node(tmp_path, open_server.url, destination, port=port, **PEERS) as ours:
            archive.upload(film(study))
            sent = archive.http.post("/modalities/chestxray/store", json=[archive.study(study)])
            assert sent.json()["FailedInstancesCount"] == 0
            until(lambda: archive.classes_of(study) == WHOLE)
            until(lambda: not ours.waiting())
            assert ours.failed() == []


def test_results_that_orthanc_sends_back_are_not_analysed(
    tmp_path: Path, open_server: Server
) -> None:
    """As by a rule that forwards whatever is new."""
    study, port = generate_uid(), free_port()
    with (
        orthanc.orthanc(tmp_path, node_port=port) as archive,
        node(tmp_path, open_server.url, archive.dicomweb, port=port, **PEERS) as ours,
    ):
        archive.upload(film(study))
        for _ in range(2):
            archive.http.post("/modalities/chestxray/store", json=[archive.study(study)])
            until(lambda: archive.classes_of(study) == WHOLE)
        until(lambda: not ours.waiting())

        assert archive.classes_of(study) == WHOLE


def test_study_that_orthanc_stores_by_dicomweb_gets_its_results(
    tmp_path: Path, passing_filter: Path
) -> None:
    """By STOW-RS alone, in both directions; nobody uses the DICOM port."""
    study, port, http_port = generate_uid(), free_port(), free_port()
    settings: dict[str, Any] = {
        "CHESTXRAY_DICOM_QUEUE": str(tmp_path / "queue"),
        "CHESTXRAY_DICOM_PEERS": '["*@127.0.0.1"]',
        "CHESTXRAY_FILTER_CHECKPOINT": str(passing_filter),
    }
    with (
        serve(tmp_path, port=http_port, **settings) as server,
        orthanc.orthanc(tmp_path, node_port=port, stow_url=f"{server.url}/dicomweb/") as archive,
        node(tmp_path, server.url, archive.dicomweb, port=port, **PEERS) as ours,
    ):
        archive.upload(film(study))
        sent = archive.http.post(
            "/dicom-web/servers/chestxray/stow",
            json={"Resources": [archive.study(study)], "Synchronous": True},
        )
        assert sent.is_success, sent.text
        until(lambda: archive.classes_of(study) == WHOLE)
        until(lambda: not ours.waiting())
        assert ours.failed() == []
