"""Distributed training with torchrun; without it, a single process."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

Result = TypeVar("Result")


@dataclass(frozen=True)
class ProcessGroup:
    """The processes of a run: this process's rank, and their number."""

    rank: int
    world_size: int

    @property
    def is_main(self) -> bool:
        """Whether this is rank 0, which writes files, shows progress and validates."""
        return self.rank == 0

    def wrap_ddp(self, network: nn.Module) -> nn.Module:
        """Wraps a network so that gradients are averaged over all ranks."""
        if self.world_size == 1:
            return network
        # BatchNorm uses rank 0's statistics: SyncBatchNorm does not run on CPUs.
        return DistributedDataParallel(network)

    def broadcast(self, compute: Callable[[], Result]) -> Result:
        """Runs a function on rank 0 and broadcasts its result."""
        if self.world_size == 1:
            return compute()
        box = [compute() if self.is_main else None]
        distributed.broadcast_object_list(box, src=0)
        result = box[0]
        assert result is not None
        return result


SINGLE_PROCESS = ProcessGroup(0, 1)


def init_process_group(device: torch.device) -> tuple[ProcessGroup, torch.device]:
    """Joins the processes started by torchrun; each uses its own device."""
    if "WORLD_SIZE" not in os.environ:
        return SINGLE_PROCESS, device
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    return ProcessGroup(distributed.get_rank(), distributed.get_world_size()), device
