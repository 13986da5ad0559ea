"""torchvision.models, even if torchvision's compiled operators do not match the torch build.

torchvision looks up the schemas of two operators at import. If its compiled library does not load,
this module declares them; the models use neither operator.
"""

import importlib.util
from pathlib import Path

import torch

__all__ = ["models"]

_schemas: list[torch.library.Library] = []


def _compiled_operators_load() -> bool:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("torchvision is not installed")
    try:
        for library in Path(spec.origin).parent.glob("_C*.so"):
            torch.ops.load_library(library)  # type: ignore[no-untyped-call]
    except OSError:
        return False
    return hasattr(torch.ops.torchvision, "nms")


if not _compiled_operators_load():
    _library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for _name in ("nms", "qnms"):
        _schema = f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        _library.define(_schema)  # type: ignore[no-untyped-call]
    _schemas.append(_library)  # the schemas live as long as the library object

from torchvision import models  # noqa: E402  the schemas must come first
