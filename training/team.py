"""Several processes on one run, started by torchrun; without it, one process is the whole team."""

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
    """Which of how many processes this one is."""

    rank: int
    size: int

    @property
    def leads(self) -> bool:
        """Whether this process writes files, shows progress and validates."""
        return self.rank == 0

    def spread(self, network: nn.Module) -> nn.Module:
        """Makes every process learn from the gradients of all."""
        if self.size == 1:
            return network
        # BatchNorm's statistics are the leader's: SyncBatchNorm does not run on CPUs.
        return DistributedDataParallel(network)

    def from_leader(self, ask: Callable[[], Answer]) -> Answer:
        """Returns on every process what the leader's call answers."""
        if self.size == 1:
            return ask()
        box = [ask() if self.leads else None]
        distributed.broadcast_object_list(box, src=0)
        answer = box[0]
        assert answer is not None
        return answer


SOLO = Team(0, 1)


def join_team(device: torch.device) -> tuple[Team, torch.device]:
    """Joins the processes that torchrun started; each takes a device of its own."""
    if "WORLD_SIZE" not in os.environ:
        return SOLO, device
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    return Team(distributed.get_rank(), distributed.get_world_size()), device
