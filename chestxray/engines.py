"""What runs a network: ONNX Runtime on a CPU, PyTorch on a GPU. Arrays go in, arrays come out."""

import logging
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from chestxray import checkpoints, quantised
from chestxray.errors import CheckpointError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, OrtValue
    from torch import nn

logger = logging.getLogger(__name__)

Images = npt.NDArray[np.uint8]  # (B, 1, SIZE, SIZE)
Outputs = dict[str, npt.NDArray[np.float32]]  # each (B, ...)

GRAPHS = Path(__file__).parent / "graphs"
"""One graph for each architecture, without weights; `python -m training.graphs` writes them."""
INPUT = "images"
"""A graph's input."""


class Engine(Protocol):
    """A network with its weights, on one device."""

    on_gpu: bool

    def __call__(self, images: Images) -> Outputs:
        """Returns everything that the network answers, by name."""

    def free_memory(self) -> None:
        """Gives back what the device keeps for later."""


class OnnxEngine:
    """The graph of an architecture, filled with a checkpoint's weights; float32, or int8 in part.

    Of several images every thread takes one after the other, which costs a tenth less than a batch
    that all threads share, and no memory for batches. What would leave most threads idle, such as a
    lone image, all of them share.
    """

    on_gpu = False

    def __init__(
        self, checkpoint: Path, architecture: str, *, threads: int = 0, graphs: Path = GRAPHS
    ) -> None:
        """Takes one thread for each core that this process may use where `threads` is 0; a quota
        on processor time is not seen. Raises CheckpointError where the checkpoint is of another
        architecture.
        """
        checkpoints.check_architecture(checkpoint, architecture)
        threads = threads or len(os.sched_getaffinity(0))
        graph, weights = graphs / f"{architecture}.onnx", _weights(checkpoint)
        try:
            self._shared = _session(graph, weights, threads)
            self._single = _session(graph, weights, 1) if threads > 1 else self._shared
        except Exception as error:  # ONNX Runtime's have no base of their own
            raise CheckpointError(
                f"{checkpoint.name} does not fit {architecture}: {error}"
            ) from error
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=architecture)
        self._threads = threads
        self._names = [output.name for output in self._shared.get_outputs()]

    def __call__(self, images: Images) -> Outputs:
        left = len(images) % self._threads
        shared = left if 2 * left <= self._threads else 0
        ones = np.split(images, len(images))  # each (1, 1, SIZE, SIZE)
        apart = ones[: len(ones) - shared]
        answers = list(self._pool.map(partial(_run, self._single), apart))
        answers += [_run(self._shared, one) for one in ones[len(apart) :]]
        outputs = (np.concatenate(each) for each in zip(*answers, strict=True))
        return dict(zip(self._names, outputs, strict=True))

    def free_memory(self) -> None:
        """Does nothing: main memory that is wanting is not kept here."""


def _run(session: "InferenceSession", images: Images) -> list[npt.NDArray[np.float32]]:
    return session.run(None, {INPUT: images})  # type: ignore[no-any-return]


def _weights(checkpoint: Path) -> "dict[str, OrtValue]":
    from onnxruntime import OrtValue
    from safetensors.numpy import load_file

    return {
        name: OrtValue.ortvalue_from_numpy(values)
        for name, values in load_file(checkpoint).items()
        if not name.endswith("num_batches_tracked")  # a counter of training
    }


def _session(graph: Path, weights: "Mapping[str, OrtValue]", threads: int) -> "InferenceSession":
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads that spin while they wait take the cores from the other model.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_external_initializers(list(weights), list(weights.values()))
    return ort.InferenceSession(str(graph), options, ["CPUExecutionProvider"])


class TorchEngine:
    """The network itself in float32, channels-last; a GPU that has TF32 multiplies in it.

    bfloat16 is twice as fast but moved a probability by up to .028, and serving spends its time in
    decoding: in a loop around both networks an H100 was busy for 3% of it (results/gpu/GPU.md).
    """

    def __init__(self, checkpoint: Path, network: "nn.Module", device: str) -> None:
        """Raises CheckpointError where the checkpoint is not the network's."""
        import torch

        self.on_gpu = device.startswith("cuda")
        self._device = torch.device(device)
        network = checkpoints.load(checkpoint, network).eval()
        self._network = network.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __call__(self, images: Images) -> Outputs:
        import torch

        with torch.inference_mode():
            # BentoML hands out read-only buffers; torch warns of those, and nothing writes here.
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
    """Opens a checkpoint where it runs best: `auto` is the first CUDA device, or else the CPU; a
    model in int8 runs on a CPU alone.

    Raises CheckpointError.
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
    """Asks torch, whose import takes seconds, only where there is a driver to ask about."""
    if not any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/dxg")):
        return False
    try:
        import torch
    except ImportError:
        logger.warning("there is an NVIDIA driver, but no torch; the networks run on the CPU")
        return False
    return torch.cuda.is_available()


def softmax(logits: npt.NDArray[np.float32], temperature: float) -> npt.NDArray[np.float32]:
    """Probabilities (B, C) of logits (B, C) at a temperature (Guo et al. 2017, section 4.2)."""
    powers = np.exp((logits - logits.max(axis=1, keepdims=True)) / temperature)
    return powers / powers.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]
