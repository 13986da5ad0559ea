"""int8 has a file and an architecture of its own, and runs on CPUs with VNNI alone."""

from pathlib import Path

import pytest

from chestxray import quantised
from chestxray.engines import open_engine
from chestxray.errors import CheckpointError


def test_names_are_those_of_float32_with_a_suffix() -> None:
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
def test_vnni_is_read_off_the_flags(cpuinfo: str, expected: bool) -> None:
    assert quantised.has_vnni(cpuinfo) is expected


def test_cpu_without_vnni_is_refused_with_what_to_set(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("flags\t\t: fpu avx2\n")

    with pytest.raises(CheckpointError, match="set CHESTXRAY_PRECISION=float32"):
        quantised.check_cpu(cpuinfo)
    with pytest.raises(CheckpointError, match="VNNI"):
        quantised.check_cpu(tmp_path / "absent")


def test_engine_is_not_opened_where_the_cpu_cannot(
    random_classifier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantised, "has_vnni", lambda cpuinfo: False)

    with pytest.raises(CheckpointError, match="VNNI"):
        open_engine(random_classifier, "densenet121_blocks123_int8")


def test_float32_checkpoint_is_not_taken_for_int8(
    random_classifier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantised, "has_vnni", lambda cpuinfo: True)

    with pytest.raises(CheckpointError, match="densenet121_blocks123_int8 is needed"):
        open_engine(random_classifier, "densenet121_blocks123_int8")
