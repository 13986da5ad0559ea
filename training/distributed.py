"""Distributed training with torchrun; without it, a single process."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Team:
    """Rank of this process and number of processes."""

    rank: int
    size: int

    @property
    def leads(self) -> bool:
        """Whether this is rank 0, which writes files, shows progress and validates."""
        return self.rank == 0

    def spread(self, network: nn.Module) -> nn.Module:
        """Wraps a network so that gradients are averaged over all ranks."""
        if self.size == 1:
            return network
        # BatchNorm uses rank 0's statistics: SyncBatchNorm does not run on CPUs.
        return DistributedDataParallel(network)

    def from_leader(self, ask: Callable[[], Answer]) -> Answer:
        """Runs a function on rank 0 and broadcasts its result."""
        if self.size == 1:
            return ask()
        box = [ask() if self.leads else None]
        distributed.broadcast_object_list(box, src=0)
        answer = box[0]
        assert answer is not None
        return answer


SOLO = Team(0, 1)


def join_team(device: torch.device) -> tuple[Team, torch.device]:
    """Joins the processes started by torchrun; each uses its own device."""
    if "WORLD_SIZE" not in os.environ:
        return SOLO, device
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    return Team(distributed.get_rank(), distributed.get_world_size()), device
