"""`chestxray doctor` finds what is wrong, says how to mend it, and shows no secret."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from bentos.administration import access_checks, doctor, model_checks, storage_checks
from bentos.administration.findings import Finding, Level
from bentos.callers.caller import Scope
from bentos.history.history import History
from bentos.settings import Settings
from tests import kept
from tests.unit.bentos.administration.test_command import NOWHERE, PASSWORD, run


def stored(**values: Any) -> dict[str, Finding]:
    async def main() -> dict[str, Finding]:
        return {each.check: each async for each in storage_checks.check(Settings(**values))}

    return asyncio.run(main())


def access(**values: Any) -> dict[str, Finding]:
    async def main() -> dict[str, Finding]:
        return {each.check: each async for each in access_checks.check(Settings(**values))}

    return asyncio.run(main())


def models(**values: Any) -> dict[str, Finding]:
    return {each.check: each for each in model_checks.check(Settings(**values))}


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A data folder that the service has used, with one analysis."""
    data = str(tmp_path / "data")
    kept.keep(Settings(data_folder=data))
    return data


def test_service_that_has_run_has_no_fault(folder: str) -> None:
    found = stored(data_folder=folder)

    assert {each.level for each in found.values()} == {Level.OK}
    assert set(found) == {
        "data folder", "cookie secret", "database", "encryption", "disk", "object store"
    }  # fmt: skip


def test_place_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    found = stored(data_folder=str(tmp_path / "data"))

    assert {each.level for each in found.values()} == {Level.OK}
    assert not (tmp_path / "data").exists()


def test_probe_is_gone_and_counts_as_no_picture(folder: str) -> None:
    before = sorted(Path(folder, "pictures").rglob("*"))

    stored(data_folder=folder)

    assert sorted(Path(folder, "pictures").rglob("*")) == before


def test_store_that_loses_what_it_is_given_is_a_fault(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object) -> None:
        pass

    monkeypatch.setattr("bentos.history.blobs.Blobs.put", nothing)

    assert stored(data_folder=folder)["object store"].level == Level.FAULT


@pytest.mark.parametrize("name", ["", "cookie.secret"])
def test_file_that_others_can_read_is_a_fault(folder: str, name: str) -> None:
    Path(folder, name).chmod(0o755)

    found = stored(data_folder=folder)["cookie secret" if name else "data folder"]

    assert found.level == Level.FAULT
    assert found.remedy == f"chmod {'600' if name else '700'} {Path(folder, name)}"


@pytest.mark.parametrize(("free", "level"), [(2**20, "fault"), (2**30, "warning"), (2**40, "ok")])
def test_disk_has_to_hold_what_may_be_kept(
    folder: str, free: int, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = SimpleNamespace(free=free)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)

    assert stored(data_folder=folder, max_kept_bytes=2**31)["disk"].level == level


def test_unreachable_database_is_a_fault_without_its_password(folder: str) -> None:
    found = stored(data_folder=folder, database=SecretStr(NOWHERE))

    assert found["database"].level == Level.FAULT
    assert found["cookie secret"].level == Level.WARNING
    assert PASSWORD not in repr(found)


def test_analyses_under_a_key_that_is_not_configured_are_a_fault(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    kept.keep(Settings(data_folder=data, encryption_keys=SecretStr(kept.OLD_KEY)), 2)

    missing = stored(data_folder=data, encryption_keys=SecretStr(kept.NEW_KEY))["encryption"]
    both = SecretStr(f"{kept.NEW_KEY},{kept.OLD_KEY}")
    waiting = stored(data_folder=data, encryption_keys=both)["encryption"]
    current = stored(data_folder=data, encryption_keys=SecretStr(kept.OLD_KEY))["encryption"]

    assert (missing.level, waiting.level, current.level) == ("fault", "warning", "ok")
    assert missing.found == "2 analyses, 0 jobs and 0 webhooks cannot be read without the keys old"
    assert waiting.remedy == "run chestxray rotate-encryption"


def test_damaged_checkpoint_is_a_fault(tmp_path: Path) -> None:
    damaged = tmp_path / "weights.safetensors"
    damaged.write_bytes(b"no weights")

    found = models(filter_checkpoint=damaged, classifier_digest="sha256:0")

    assert found["filter checkpoint"].level == Level.FAULT
    assert found["classifier checkpoint"].level == Level.FAULT
    assert "expected sha256:0" in found["classifier checkpoint"].found


def test_checkpoint_without_a_digest_is_a_warning(random_filter: Path) -> None:
    found = models(filter_checkpoint=random_filter)["filter checkpoint"]

    assert found.level == Level.WARNING
    assert found.remedy.startswith("set CHESTXRAY_FILTER_DIGEST=sha256:")


def test_device_that_is_not_there_is_a_fault() -> None:
    assert models(device="cuda:99")["device"].level == Level.FAULT
    assert models(device="cpu")["device"].level == Level.OK


@pytest.mark.parametrize(
    ("device", "missing", "has_gpu", "level"),
    [
        ("cpu", "onnxruntime", False, "fault"),
        ("auto", "onnxruntime", False, "fault"),
        ("auto", "torch", False, "ok"),
        ("auto", "torch", True, "warning"),
        ("cuda", "torch", True, "fault"),
    ],
)
def test_device_needs_its_package(
    device: str,
    missing: str,
    has_gpu: bool,
    level: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gpu = str(tmp_path if has_gpu else tmp_path / "none")
    monkeypatch.setattr(model_checks, "_GPU_FILES", (gpu,))
    monkeypatch.setattr(model_checks, "_installed", lambda package: package != missing)

    assert models(device=device)["device"].level == level


def test_everyone_as_a_proxy_is_a_warning(folder: str) -> None:
    everyone = access(trusted_proxies=["0.0.0.0/0"])["proxies"]

    assert (everyone.level, "0.0.0.0/0" in everyone.found) == (Level.WARNING, True)
    assert access(trusted_proxies=["10.0.0.0/8", "::1/128"])["proxies"].level == Level.OK
    assert access(data_folder=folder)["proxies"].level == Level.WARNING
    assert access()["proxies"].level == Level.OK


def test_doctor_says_whether_webhooks_are_on(folder: str) -> None:
    on = {"webhooks": True, "data_folder": folder}
    safe = on | {"encryption_keys": SecretStr(kept.NEW_KEY)}

    assert access()["webhooks"].found.startswith("off")
    assert access(**safe)["webhooks"].level == Level.OK
    assert access(**on)["webhooks"].level == Level.WARNING
    assert access(webhooks=True)["webhooks"].level == Level.WARNING
    everywhere = access(**safe, webhook_networks=["10.0.0.0/8", "0.0.0.0/0"])["webhooks"]
    assert (everywhere.level, "0.0.0.0/0" in everywhere.found) == (Level.WARNING, True)
    assert "1 networks" in access(**safe, webhook_networks=["10.1.2.0/24"])["webhooks"].found


def test_service_that_nobody_may_use_is_a_warning(folder: str) -> None:
    def made(*scopes: Scope) -> str:
        async def work(history: History) -> str:
            return (await history.keys.create("portal", scopes))[1]

        return kept.with_history(Settings(data_folder=folder), work)

    closed = {"data_folder": folder, "anonymous": False}
    assert access(**closed)["API keys"].level == Level.WARNING
    made(Scope.HISTORY)
    assert access(**closed)["API keys"].level == Level.WARNING
    made(Scope.ANALYSE)
    assert access(**closed)["API keys"].level == Level.OK


def test_dicom_node_needs_a_key_that_may_analyse(folder: str, tmp_path: Path) -> None:
    async def make(history: History) -> list[str]:
        keys = [await history.keys.create("node", [each]) for each in Scope]
        return [text for _, text in keys]

    analyse, other, *_ = kept.with_history(Settings(data_folder=folder), make)
    values = {"data_folder": folder, "anonymous": False, "dicom_queue": str(tmp_path / "queue")}

    assert access(**values)["DICOM node"].level == Level.FAULT
    for text, level in ((analyse, "ok"), (other, "fault"), (analyse[:-1] + "_", "warning")):
        found = access(**values, dicom_service_key=SecretStr(text))["DICOM node"]
        assert found.level == level
        assert text[21:] not in repr(found)


def test_queue_is_private_if_its_folders_are(tmp_path: Path) -> None:
    values: dict[str, Any] = {"dicom_queue": str(tmp_path), "dicom_peers": ["*@10.0.0.1"]}
    tmp_path.chmod(0o755)
    assert access(**values)["DICOM queue"].level == Level.FAULT

    (tmp_path / "waiting").mkdir(mode=0o700)

    assert access(**values)["DICOM queue"].level == Level.OK


@pytest.mark.slow
def test_all_wrong_settings_are_faults_at_once() -> None:
    done = run("doctor", "--json", DATABASE=PASSWORD, DATA_FOLDR="x", DEVICE="tpu")

    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert [each["level"] for each in found] == ["fault"] * 3
    for name in ("DATABASE", "DATA_FOLDR", "DEVICE"):
        assert any(f"CHESTXRAY_{name}" in each["found"] for each in found)
    assert PASSWORD not in done.stdout + done.stderr


@pytest.mark.slow
def test_each_finding_is_a_line_and_a_fault_the_exit_status(folder: str) -> None:
    fine = run("doctor", DATA_FOLDER=folder)
    Path(folder).chmod(0o777)
    wrong = run("doctor", DATA_FOLDER=folder)

    assert fine.returncode == 0, fine.stdout
    assert all(each.startswith(("ok ", "warning ")) for each in fine.stdout.splitlines())
    assert wrong.returncode == 1
    assert f"; chmod 700 {folder}" in wrong.stdout


def test_folder_of_another_user_is_a_finding_and_no_crash(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("Permission denied")

    monkeypatch.setattr("bentos.administration.storage_checks.private_folder", refuse)

    async def main() -> list[Finding]:
        return [each async for each in doctor._check(Settings(data_folder=folder))]

    found = asyncio.run(main())

    assert [each.found for each in found if each.level == Level.FAULT] == ["Permission denied"]
    assert found[-1].check == "webhooks"
