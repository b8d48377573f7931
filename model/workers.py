"""Several processes that train one model, each on its share of every batch, under torchrun.

    torchrun --standalone --nproc-per-node 2 -m pipeline_steps.train --profile sst2

torch does the work: torchrun names the processes and ends all where one is lost, and
`DistributedDataParallel` averages the gradients, over NCCL on GPUs and over gloo on CPU. Here
stands only what a loop has to know of it. A run without torchrun is a group of one.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from textwrap import shorten
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from model.report import TrainingError

T = TypeVar("T")


class WorkerLostError(TrainingError):
    """Another process of the run no longer answers."""


@dataclass(frozen=True)
class Workers:
    """Which process of how many this is; the first one writes files and reports."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process speaks for all."""
        return self.rank == 0

    def share(self, numbers: Sequence[int]) -> list[int]:
        """This process's part of a batch; neighbours are alike in length, so parts are as well."""
        return list(numbers[self.rank :: self.size])

    def total(self, figures: Tensor) -> Tensor:
        """The sum over all processes, which each is given."""
        if self.size > 1:
            with lost_workers():
                dist.all_reduce(figures)
        return figures

    def most(self, number: Tensor) -> Tensor:
        """The largest that any process holds."""
        with lost_workers():
            dist.all_reduce(number, dist.ReduceOp.MAX)
        return number

    def of_first(self, value: T) -> T:
        """What the first process holds; each of them must call this."""
        if self.size == 1:
            return value
        held = [value]
        with lost_workers():
            dist.broadcast_object_list(held, src=0)
        return held[0]


@contextmanager
def joined() -> Iterator[Workers]:
    """The processes that torchrun has started, this one among them; a group of one without it."""
    if not dist.is_torchelastic_launched():
        yield Workers()
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    with lost_workers():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield Workers(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


@contextmanager
def lost_workers() -> Iterator[None]:
    """Tell an error of the connection between processes from any other.

    Raises:
        WorkerLostError: instead of it.
    """
    try:
        yield
    except RuntimeError as error:
        if not (isinstance(error, dist.DistError) or is_connection_error(error)):
            raise
        reason = shorten(str(error), 200, placeholder=" ...")
        raise WorkerLostError(f"Another process of the run is gone: {reason}") from error


def is_connection_error(error: RuntimeError) -> bool:
    """Whether gloo, which has no error of its own, says that a peer is gone."""
    text = str(error).lower()
    return "gloo" in text or "connection" in text
