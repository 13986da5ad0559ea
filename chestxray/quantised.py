"""The int8 form of a model: a checkpoint and a graph of its own, for CPUs with VNNI instructions.

Without them an 8-bit product is made of several instructions that saturate: slower, and not the
answers that the model's card was measured on.
"""

from pathlib import Path
from typing import Literal

from chestxray.errors import CheckpointError

Precision = Literal["float32", "int8"]

SUFFIX = "_int8"
"""Of the architecture, and of the name of the file."""
_CPUINFO = Path("/proc/cpuinfo")
_VNNI = {"avx512_vnni", "avx_vnni"}


def name_in(precision: Precision, architecture: str) -> str:
    """What the architecture is called in this precision."""
    return architecture + SUFFIX if precision == "int8" else architecture


def file_in(precision: Precision, checkpoint: Path) -> Path:
    """The file beside a float32 checkpoint that holds the model in this precision."""
    return checkpoint.with_stem(name_in(precision, checkpoint.stem))


def check_cpu(cpuinfo: Path = _CPUINFO) -> None:
    """Raises CheckpointError where this CPU has no VNNI, or does not say so."""
    if not has_vnni(cpuinfo.read_text() if cpuinfo.exists() else ""):
        raise CheckpointError(
            "int8 needs a CPU with VNNI (avx512_vnni or avx_vnni), which this one does not show; "
            "set CHESTXRAY_PRECISION=float32"
        )


def has_vnni(cpuinfo: str) -> bool:
    """Whether Linux's description of the CPUs shows the instructions."""
    flags = (line.partition(":")[2] for line in cpuinfo.splitlines() if line.startswith("flags"))
    return bool(_VNNI & set(next(flags, "").split()))
