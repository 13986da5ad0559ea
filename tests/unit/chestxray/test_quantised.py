"""int8 has its own checkpoint file and architecture, and runs only on CPUs with VNNI."""

from pathlib import Path

import pytest

from chestxray import quantised
from chestxray.engines import open_engine
from chestxray.errors import CheckpointError


def test_int8_file_and_architecture_names_have_a_suffix() -> None:
    checkpoint = Path("a/weights.safetensors")

    assert quantised.file_in("float32", checkpoint) == checkpoint
    assert quantised.file_in("int8", checkpoint) == Path("a/weights_int8.safetensors")
    assert quantised.name_in("int8", "net") == "net_int8"


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("model name\t: X\nflags\t\t: fpu avx512f avx512_vnni\n", True),
        ("flags\t\t: fpu avx2 avx_vnni\nflags\t\t: fpu avx2 avx_vnni\n", True),
        ("flags\t\t: fpu avx2 avx512f\nbugs\t\t: avx_vnni\n", False),
        ("flags\t\t: fpu avx_vnni_int8\n", False),
        ("Features\t: fp asimd asimddp\n", False),
        ("", False),
    ],
)
def test_vnni_is_detected_from_the_cpu_flags(cpuinfo: str, expected: bool) -> None:
    assert quantised.has_vnni(cpuinfo) is expected


def test_error_of_a_cpu_without_vnni_names_the_setting(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("flags\t\t: fpu avx2\n")

    with pytest.raises(CheckpointError, match="set CHESTXRAY_PRECISION=float32"):
        quantised.check_cpu(cpuinfo)
    with pytest.raises(CheckpointError, match="VNNI"):
        quantised.check_cpu(tmp_path / "absent")


def test_int8_engine_is_not_opened_on_a_cpu_without_vnni(
    random_classifier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantised, "has_vnni", lambda cpuinfo: False)

    with pytest.raises(CheckpointError, match="VNNI"):
        open_engine(random_classifier, "densenet121_blocks123_int8")


def test_int8_engine_rejects_a_float32_checkpoint(
    random_classifier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantised, "has_vnni", lambda cpuinfo: True)

    with pytest.raises(CheckpointError, match="densenet121_blocks123_int8 is needed"):
        open_engine(random_classifier, "densenet121_blocks123_int8")
