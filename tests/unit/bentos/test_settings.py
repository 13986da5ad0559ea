"""Settings are typed and frozen, and an invalid one is named in the error."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from bentos.exposition import REVISION
from bentos.http.drain import MARKER_VARIABLE
from bentos.logs.setup import DESCRIPTOR, PROCESS
from bentos.process import heartbeat
from bentos.settings import Settings, explain
from bentos.settings_checks import INTERNAL
from chestxray import quantised
from tests.conftest import ROOT


def test_defaults_point_at_the_shipped_weights() -> None:
    settings = Settings()

    assert settings.filter_checkpoint.is_file()
    assert settings.classifier_checkpoint.is_file()
    assert settings.device == "auto"


def test_environment_variable_overrides_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHESTXRAY_MAX_IMAGE_PIXELS", "1234")

    assert Settings().limits.max_pixels == 1234


@pytest.mark.parametrize(
    ("key", "value"),
    [("device", "tpu"), ("max_model_batch", "0"), ("request_timeout_seconds", "soon")],
)
def test_invalid_setting_is_named_in_the_error(
    monkeypatch: pytest.MonkeyPatch, key: str, value: str
) -> None:
    monkeypatch.setenv(f"CHESTXRAY_{key.upper()}", value)

    with pytest.raises(ValidationError, match=key):
        Settings()


def test_batch_limit_above_the_in_flight_limit_is_rejected() -> None:
    with pytest.raises(ValidationError, match="above CHESTXRAY_MAX_IMAGES_IN_FLIGHT=8"):
        Settings(max_images_in_flight=8, max_images_per_batch=16)


SECRET = "not-to-be-seen"  # too short for a token


def settings_errors(monkeypatch: pytest.MonkeyPatch, **variables: str) -> list[str]:
    """The errors that these variables cause; their names have no prefix."""
    for name, value in variables.items():
        monkeypatch.setenv(f"CHESTXRAY_{name}", value)
    try:
        Settings()
    except ValidationError as error:
        assert SECRET not in str(error)
        return explain(error)
    return []


def test_every_settings_error_is_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = settings_errors(
        monkeypatch,
        DEVICE="tpu",
        POD_TOKEN=SECRET,
        MAX_QUEUE_SECONDS="inf",
        TRUSTED_PROXIES="[not json",
        MAX_CONECTIONS="3",
    )

    assert len(found) == 5
    assert "CHESTXRAY_DEVICE='tpu': " in found[0]
    assert sorted(line.split(":")[0].split("=")[0] for line in found) == [
        "CHESTXRAY_DEVICE",
        "CHESTXRAY_MAX_CONECTIONS",
        "CHESTXRAY_MAX_QUEUE_SECONDS",
        "CHESTXRAY_POD_TOKEN",
        "CHESTXRAY_TRUSTED_PROXIES",
    ]
    assert all("\n" not in line and SECRET not in line for line in found)


NUMBERS = [
    name for name, field in Settings.model_fields.items() if field.annotation in (int, float)
]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "value", ["inf", "-inf", "nan", "1e300", "-1", "1e-300", "x", "", "9" * 30]
)
def test_number_out_of_range_is_rejected(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    (found,) = settings_errors(monkeypatch, **{name.upper(): value})

    assert found.startswith(f"CHESTXRAY_{name.upper()}='{value}': ")


@pytest.mark.parametrize(
    "value",
    [
        "[not json",
        "10.0.0.0/8",
        "{}",
        "7",
        '["10.0.0.1/8"]',
        '["x"]',
        "[[]]",
        '"10.0.0.0/8"',
    ],
)
def test_malformed_list_is_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    (found,) = settings_errors(monkeypatch, TRUSTED_PROXIES=value)

    assert found.startswith("CHESTXRAY_TRUSTED_PROXIES=")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("MAX_CONECTIONS", "; did you mean CHESTXRAY_MAX_CONNECTIONS?"),
        ("MAX_QUEUE_SECOND", "; did you mean CHESTXRAY_MAX_QUEUE_SECONDS?"),
        ("POD_TOKN", "; did you mean CHESTXRAY_POD_TOKEN?"),
        ("ZZZZZZZZZZ", ""),
        ("PORT", ""),
    ],
)
def test_unknown_setting_is_rejected_and_a_similar_name_is_suggested(
    monkeypatch: pytest.MonkeyPatch, name: str, hint: str
) -> None:
    found = settings_errors(monkeypatch, **{name: SECRET})

    assert len(found) == 1
    assert found[0].startswith(f"CHESTXRAY_{name}: there is no such setting")
    assert found[0].endswith(hint) or not hint
    assert SECRET not in found[0]


def test_variables_set_by_kubernetes_or_the_supervisor_are_accepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert {heartbeat.VARIABLE, MARKER_VARIABLE, PROCESS, DESCRIPTOR, REVISION} == INTERNAL
    for name in INTERNAL:
        monkeypatch.setenv(name, "x")

    # What Kubernetes tells pods of a Service that is called chestxray, or chestxray-api.
    address = "tcp://10.0.0.7:80"
    links = {
        "SERVICE_HOST": "10.0.0.7",
        "SERVICE_PORT": "80",
        "SERVICE_PORT_HTTP": "80",
        "PORT": address,
        "PORT_80_TCP": address,
        "PORT_80_TCP_ADDR": "10.0.0.7",
        "API_SERVICE_HOST": "10.0.0.7",
        "API_PORT": address,
    }
    assert settings_errors(monkeypatch, **links) == []


def test_long_value_is_truncated_to_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = settings_errors(monkeypatch, DEVICE="tpu\n" * 1000)

    assert len(found) < 300
    assert "\n" not in found


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"CLASSIFIER_PODS": "classifier:3001"}, "CHESTXRAY_CLASSIFIER_PODS needs"),
        ({"MAX_BATCH_BYTES": "1000"}, "CHESTXRAY_MAX_IMAGE_BYTES=83886080 is above"),
        ({"MAX_BYTES_IN_FLIGHT": "1000"}, "CHESTXRAY_MAX_BATCH_BYTES=100663296 is above"),
        ({"DRAIN_TIMEOUT_SECONDS": "1"}, "CHESTXRAY_REQUEST_TIMEOUT_SECONDS=30.0 is above"),
        ({"HEARTBEAT_TIMEOUT_SECONDS": "1"}, "CHESTXRAY_HEARTBEAT_TIMEOUT_SECONDS='1': "),
        (
            {"CLASSIFIER_PODS": "c:1", "POD_TOKEN": "x" * 16, "POD_TIMEOUT_SECONDS": "30"},
            "CHESTXRAY_POD_TIMEOUT_SECONDS must be below",
        ),
        ({"CLASSIFIER_PODS": "c:99999", "POD_TOKEN": "x" * 16}, "CHESTXRAY_CLASSIFIER_PODS='c:9"),
        ({"FRAME_ANCESTORS": "https://портал.example"}, "CHESTXRAY_FRAME_ANCESTORS="),
        ({"POD_TOKEN": "кот" * 10}, "CHESTXRAY_POD_TOKEN: must be printable"),
    ],
)
def test_contradictory_settings_are_rejected(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    (found,) = settings_errors(monkeypatch, **variables)

    assert found.startswith(said)


@pytest.mark.parametrize(
    "command",
    [
        ("-m", "bentos.cli", "serve", "--port", "3469"),
        ("-m", "bentos.cli", "serve-classifier", "--port", "3469"),
        ("-m", "bentoml", "serve", "service:Gateway", "--port", "3469"),
        ("-m", "bentoml", "serve", "bentos.covid_classifier.pod:CovidClassifier", "--port", "3469"),
    ],
    ids=["serve", "serve-classifier", "bentoml", "bentoml-classifier"],
)
def test_command_with_invalid_settings_exits_with_one_line_per_error(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    wrong = {"CHESTXRAY_TRUSTED_PROXIES": "[", "CHESTXRAY_MODEL_THRAEDS": "1"}
    wrong |= {"BENTOML_HOME": str(tmp_path), "BENTOML_DO_NOT_TRACK": "True"}

    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | wrong,
        capture_output=True,
        text=True,
        timeout=120,
    )

    faults = re.findall(r" CRITICAL .* chestxray cannot start: (.*)$", done.stderr, re.M)
    assert done.returncode == 2
    assert sorted(faults) == [
        "CHESTXRAY_MODEL_THRAEDS: there is no such setting; did you mean CHESTXRAY_MODEL_THREADS?",
        'CHESTXRAY_TRUSTED_PROXIES=\'[\': must be a list as JSON, such as ["a", "b"]',
    ]
    assert "Traceback" not in done.stderr


def test_fault_of_the_settings_is_a_line_of_the_log_in_its_configured_format() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bentos.cli", "serve", "--port", "3469"],
        cwd=ROOT,
        env=os.environ | {"CHESTXRAY_LOG_FORMAT": "json", "CHESTXRAY_LOG_LEVEL": "loud"},
        capture_output=True,
        text=True,
        timeout=120,
    )

    (line,) = map(json.loads, done.stderr.splitlines())
    assert (done.returncode, done.stdout) == (2, "")
    assert (line["level"], line["process"]) == ("CRITICAL", "supervisor")
    assert line["message"].startswith("chestxray cannot start: CHESTXRAY_LOG_LEVEL='loud': ")


def test_repr_of_settings_does_not_show_the_token() -> None:
    settings = Settings(pod_token=SecretStr(2 * SECRET))

    assert SECRET not in repr(settings)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().device = "cpu"  # type: ignore[misc]


@pytest.fixture
def int8_checkpoint(tmp_path: Path) -> Path:
    (tmp_path / "weights_int8.safetensors").touch()
    return tmp_path / "weights.safetensors"


def test_int8_precision_uses_its_own_checkpoint_file(
    monkeypatch: pytest.MonkeyPatch, int8_checkpoint: Path
) -> None:
    monkeypatch.setattr(quantised, "has_vnni", lambda cpuinfo: True)

    settings = Settings(precision="int8", classifier_checkpoint=int8_checkpoint)

    assert settings.classifier_file.name == "weights_int8.safetensors"
    assert settings.checkpoints[1] == (settings.classifier_file, "")
    assert Settings().classifier_file == Settings().classifier_checkpoint


def test_int8_precision_that_cannot_run_is_rejected_with_every_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(quantised, "has_vnni", lambda cpuinfo: False)
    absent = tmp_path / "weights.safetensors"

    device, file, cpu = settings_errors(
        monkeypatch, PRECISION="int8", DEVICE="cuda", CLASSIFIER_CHECKPOINT=str(absent)
    )

    assert device.startswith("CHESTXRAY_PRECISION=int8 runs on a CPU, not on CHESTXRAY_DEVICE=cuda")
    assert "weights_int8.safetensors, which `make quantise` makes" in file
    assert "int8 needs a CPU with VNNI" in cpu
