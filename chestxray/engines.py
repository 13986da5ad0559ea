"""Inference engines: ONNX Runtime on a CPU, PyTorch on a GPU, with the same NumPy interface."""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from chestxray import checkpoints, quantised
from chestxray.cores import usable_cores
from chestxray.errors import CheckpointError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, OrtValue
    from torch import nn

logger = logging.getLogger(__name__)

Images = npt.NDArray[np.uint8]  # (B, 1, SIZE, SIZE)
Outputs = dict[str, npt.NDArray[np.float32]]  # by name, each (B, ...)

GRAPHS = Path(__file__).parent / "graphs"
"""One graph per architecture, without weights, written by `python -m training.graphs`."""
INPUT = "images"
"""Name of a graph's input."""


class Engine(Protocol):
    """A network with its weights, on one device."""

    on_gpu: bool
    parallel: int
    """Calls that it runs at once. 1 on a device for which several images in one call cost less;
    otherwise single images in so many calls are fastest."""

    def __call__(self, images: Images, *, loaded: bool = False) -> Outputs:
        """Runs uint8 images (B, 1, SIZE, SIZE); returns the network's outputs by name.

        Both networks have `logits`, the classifier also `cam` and `projection`. A machine that is
        `loaded` has other work for its cores: throughput matters more than latency.
        """

    def free_memory(self) -> None:
        """Releases memory that the device allocator caches."""


class OnnxEngine:
    """Runs an architecture's graph with a checkpoint's weights, in float32 or partly in int8.

    Each thread runs images of a batch one by one, which costs 10% less CPU than parallelising a
    batch over all threads and needs no memory for batches. The remainder of a batch that would
    leave at least half of the threads idle, such as a single image, runs on all threads.
    """

    on_gpu = False

    def __init__(
        self, checkpoint: Path, architecture: str, *, threads: int = 0, graphs: Path = GRAPHS
    ) -> None:
        """`threads=0` uses one thread for each usable core.

        Raises CheckpointError if the checkpoint does not fit the architecture.
        """
        checkpoints.check_architecture(checkpoint, architecture)
        threads = threads or usable_cores()
        graph, weights = graphs / f"{architecture}.onnx", _weights(checkpoint)
        try:
            self._shared = _session(graph, weights, threads)
            self._single = _session(graph, weights, 1) if threads > 1 else self._shared
        except Exception as error:  # ONNX Runtime's exceptions have no common base class
            raise CheckpointError(
                f"{checkpoint.name} does not fit {architecture}: {error}"
            ) from error
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=architecture)
        self._threads = self.parallel = threads
        self._names = [output.name for output in self._shared.get_outputs()]

    def __call__(self, images: Images, *, loaded: bool = False) -> Outputs:
        left = len(images) % self._threads
        shared = left if 2 * left <= self._threads and not loaded else 0
        ones = np.split(images, len(images))  # each (1, 1, SIZE, SIZE)
        apart = ones[: len(ones) - shared]
        answers = list(self._pool.map(partial(_run, self._single), apart))
        answers += [_run(self._shared, one) for one in ones[len(apart) :]]
        outputs = (np.concatenate(each) for each in zip(*answers, strict=True))
        return dict(zip(self._names, outputs, strict=True))

    def free_memory(self) -> None:
        """Does nothing: this engine caches no memory."""


def _run(session: "InferenceSession", images: Images) -> list[npt.NDArray[np.float32]]:
    return session.run(None, {INPUT: images})  # type: ignore[no-any-return]


def _weights(checkpoint: Path) -> "dict[str, OrtValue]":
    from onnxruntime import OrtValue
    from safetensors.numpy import load_file

    return {
        name: OrtValue.ortvalue_from_numpy(values)
        for name, values in load_file(checkpoint).items()
        if not name.endswith("num_batches_tracked")  # only used in training
    }


def _session(graph: Path, weights: "Mapping[str, OrtValue]", threads: int) -> "InferenceSession":
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    # Idle threads that spin would take cores from the other model.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_external_initializers(list(weights), list(weights.values()))
    return ort.InferenceSession(str(graph), options, ["CPUExecutionProvider"])


class TorchEngine:
    """Runs the PyTorch network in float32, channels-last; TF32 where the GPU supports it.

    bfloat16 is twice as fast but changed a probability by up to .028. Serving is bound by decoding
    anyway: in the bare loop an H100 was busy 3% of the time (results/gpu/GPU.md).
    """

    def __init__(self, checkpoint: Path, network: "nn.Module", device: str) -> None:
        """Raises CheckpointError if the checkpoint does not match the network."""
        import torch

        self.on_gpu, self.parallel = device.startswith("cuda"), 1
        self._device = torch.device(device)
        network = checkpoints.load(checkpoint, network).eval()
        self._network = network.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __call__(self, images: Images, *, loaded: bool = False) -> Outputs:
        import torch

        with torch.inference_mode():
            # BentoML passes read-only buffers, which torch warns about.
            tensor = torch.from_numpy(images if images.flags.writeable else images.copy())
            answer: Any = self._network(tensor.to(self._device))
        fields = {"logits": answer} if isinstance(answer, torch.Tensor) else answer._asdict()
        return {name: values.cpu().numpy() for name, values in fields.items()}

    def free_memory(self) -> None:
        import torch

        if self.on_gpu:
            torch.cuda.empty_cache()


def open_engine(
    checkpoint: Path, architecture: str, *, device: str = "auto", threads: int = 0
) -> Engine:
    """Opens a checkpoint with ONNX Runtime on "cpu", and with PyTorch on any other device; an int8
    one with ONNX Runtime always.

    "auto" is "cuda" if available, else "cpu". Raises CheckpointError.
    """
    if architecture.endswith(quantised.SUFFIX):
        quantised.check_cpu()
        return OnnxEngine(checkpoint, architecture, threads=threads)
    if device == "auto":
        device = "cuda" if _cuda_is_available() else "cpu"
    if device == "cpu":
        return OnnxEngine(checkpoint, architecture, threads=threads)
    from chestxray.networks import BY_ARCHITECTURE

    build: Callable[[], Any] = BY_ARCHITECTURE[architecture]
    return TorchEngine(checkpoint, build(), device)


def _cuda_is_available() -> bool:
    """Imports torch, which takes seconds, only if an NVIDIA driver is present."""
    if not any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/dxg")):
        return False
    try:
        import torch
    except ImportError:
        logger.warning("found an NVIDIA driver but no torch; running the networks on the CPU")
        return False
    return torch.cuda.is_available()


def softmax(logits: npt.NDArray[np.float32], temperature: float) -> npt.NDArray[np.float32]:
    """Probabilities (B, C) from logits (B, C), with temperature scaling (Guo et al. 2017, 4.2)."""
    powers = np.exp((logits - logits.max(axis=1, keepdims=True)) / temperature)
    return powers / powers.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]
