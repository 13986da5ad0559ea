"""A really running Orthanc with its DICOMweb plugin, on loopback."""

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from loadtests.load_generator import free_port
from tests.waiting import until

TITLE = "ORTHANC"
_EXECUTABLE = "Orthanc"
_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


def needed() -> pytest.MarkDecorator:
    """Skips a test where Orthanc or its plugin is not installed."""
    missing = shutil.which(_EXECUTABLE) is None or not _PLUGIN.exists()
    return pytest.mark.skipif(
        missing, reason="needs Debian's packages orthanc and orthanc-dicomweb"
    )


@dataclass(frozen=True)
class Orthanc:
    """A running archive."""

    http: httpx.Client
    dicom_port: int

    @property
    def dicomweb(self) -> str:
        return f"{self.http.base_url}/dicom-web"

    def upload(self, file: bytes) -> None:
        self.http.post("/instances", content=file).raise_for_status()

    def study(self, uid: str) -> str:
        """Orthanc's own ID of a study."""
        query = {"Level": "Study", "Query": {"StudyInstanceUID": uid}}
        (found,) = self.http.post("/tools/find", json=query).json()
        return str(found)

    def classes_of(self, study: str) -> list[str]:
        """The SOP classes of all instances of a study, by QIDO-RS."""
        answer = self.http.get(
            f"/dicom-web/studies/{study}/instances", headers={"Accept": "application/dicom+json"}
        )
        answer.raise_for_status()
        return sorted(each["00080016"]["Value"][0] for each in answer.json())


@contextmanager
def orthanc(folder: Path, *, node_port: int, stow_url: str = "") -> Iterator[Orthanc]:
    """Starts Orthanc, which knows our node and our service, and stops it by its pid."""
    http_port, dicom_port = free_port(), free_port()
    configuration = folder / "orthanc.json"
    configuration.write_text(
        json.dumps(_configuration(folder, http_port, dicom_port, node_port, stow_url))
    )
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen([_EXECUTABLE, configuration], stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{http_port}", timeout=30) as client:
            until(lambda: _answers(client))
            yield Orthanc(client, dicom_port)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        finally:
            process.kill()


def _configuration(
    folder: Path, http_port: int, dicom_port: int, node_port: int, stow_url: str
) -> dict[str, Any]:
    return {
        "Name": TITLE,
        "StorageDirectory": str(folder / "orthanc"),
        "IndexDirectory": str(folder / "orthanc"),
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAet": TITLE,
        "DicomPort": dicom_port,
        "DicomAlwaysAllowStore": True,
        "DicomModalities": {"chestxray": ["CHESTXRAY", "127.0.0.1", node_port]},
        "Plugins": [str(_PLUGIN)],
        "DicomWeb": {
            "Enable": True,
            "Root": "/dicom-web/",
            "Servers": {"chestxray": {"Url": stow_url}} if stow_url else {},
        },
    }


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/system").is_success
    except httpx.TransportError:
        return False
