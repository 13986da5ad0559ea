"""docs/settings.md lists the settings and the processes that read them."""

import re

import pytest

from bentos.settings import Settings
from tests.conftest import ROOT
from tools import settings_docs

USE = re.compile(r"(?:settings|get_settings\(\))\.([a-z_]+)")
MODULES = {
    "gateway": ("bentos/gateway/*.py", "bentos/http/*.py", "bentos/inference/discovery.py"),
    "model services": (
        "bentos/xray_filter/*.py",
        "bentos/covid_classifier/*.py",
        "bentos/inference/model.py",
        "bentos/inference/server.py",
    ),
    "classifier pod": (
        "bentos/covid_classifier/*.py",
        "bentos/inference/model.py",
        "bentos/inference/se*.py",
    ),
    "supervisor": ("bentos/process/*.py",),
    "DICOM node": ("bentos/dicom_node/*.py",),
}


def test_settings_page_is_up_to_date() -> None:
    assert settings_docs.TARGET.read_text() == settings_docs.render()


def test_every_setting_is_read_by_a_process() -> None:
    assert set().union(*settings_docs.READ_BY.values()) == set(Settings.model_fields)


@pytest.mark.parametrize("process", settings_docs.READ_BY)
def test_settings_page_names_each_process_that_reads_a_setting(process: str) -> None:
    sources = [path.read_text() for glob in MODULES[process] for path in ROOT.glob(glob)]
    used = set(USE.findall("\n".join(sources))) & set(Settings.model_fields)

    assert used
    assert used <= settings_docs.READ_BY[process]


def test_settings_page_shows_default_bounds_and_meaning() -> None:
    page = settings_docs.TARGET.read_text()

    assert "| `CHESTXRAY_DRAIN_DELAY_SECONDS` | `3.0` | 0, or 0.01 to 3600 |" in page
    assert "| `CHESTXRAY_HEARTBEAT_TIMEOUT_SECONDS` | `10.0` | 2 to 3600 | supervisor | Sec" in page
    assert "| `CHESTXRAY_POD_TOKEN` |  |  |" in page
