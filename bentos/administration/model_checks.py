"""Whether the models can be loaded here, and on which device."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

from bentos.administration.findings import Finding, fault, ok, warning
from bentos.settings import Settings
from bentos.settings_checks import variable_of
from chestxray import checkpoints
from chestxray.errors import CheckpointError

_GPU_FILES = ("/dev/nvidiactl", "/dev/dxg")
_ONNX, _TORCH = "install 'chestxray[serving-cpu]'", "install 'chestxray[serving]'"


def check(settings: Settings) -> Iterator[Finding]:
    """Checks both checkpoints and the device."""
    for name, (path, digest) in zip(("filter", "classifier"), settings.checkpoints, strict=True):
        yield _checkpoint(name, path, digest)
    # The int8 form runs on a CPU, whatever there is.
    yield _device("cpu" if settings.precision == "int8" else settings.device)


def _checkpoint(name: str, path: Path, digest: str) -> Finding:
    label = f"{name} checkpoint"
    try:
        found = checkpoints.verified_digest(path, digest)
        card = checkpoints.read_card(path)
    except CheckpointError as error:
        remedy = f"restore the file, or set {variable_of(f'{name}_checkpoint')}"
        return fault(label, str(error), remedy)
    if not digest and not path.with_suffix(checkpoints.DIGEST_SUFFIX).exists():
        remedy = f"set {variable_of(f'{name}_digest')}={found}"
        return warning(label, f"nothing says what the digest of {path} must be", remedy)
    return ok(label, f"{card.name} {card.version}, {found[:19]}...")


def _device(device: str) -> Finding:
    has_gpu = any(Path(each).exists() for each in _GPU_FILES)
    if device == "cpu" or (device == "auto" and not has_gpu):
        if not _installed("onnxruntime"):
            return fault("device", "ONNX Runtime is missing, which a CPU needs", _ONNX)
        return ok("device", f"{device}: CPU with ONNX Runtime")
    if device == "auto" and not _installed("torch"):
        if not _installed("onnxruntime"):
            return fault("device", "neither PyTorch nor ONNX Runtime is there", _TORCH)
        return warning("device", "there is a GPU, but no PyTorch: the CPU is used", _TORCH)
    return _gpu(device)


def _gpu(device: str) -> Finding:
    if not _installed("torch"):
        return fault("device", f"{device} needs PyTorch", _TORCH)
    import torch  # takes seconds

    remedy = f"install the driver, or set {variable_of('device')}=cpu"
    if not torch.cuda.is_available():
        found = "PyTorch finds no GPU"
        if device == "auto":
            return warning("device", f"{found}: the CPU is used", remedy)
        return fault("device", f"{device} is wanted, and {found}", remedy)
    number, count = int(device.partition(":")[2] or 0), torch.cuda.device_count()
    if number >= count:
        remedy = f"set {variable_of('device')} to one below cuda:{count}"
        return fault("device", f"there is no {device}", remedy)
    return ok("device", f"{device}: {torch.cuda.get_device_name(number)}")


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
