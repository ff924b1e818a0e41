"""Batches of an epoch in their order, fetched while the step before is computed."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor

from refine_core.errors import InputError
from refine_core.noise import derive
from refine_core.training.data import Data, Tensors

T = TypeVar("T")
Parts = list[tuple[Tensor, object]]
"""The samples of one process in one step: places in the data, and the batch they make."""


class Loader:
    """Hands out the batches of one process, step by step.

    The order of an epoch follows from (seed, epoch); its last, incomplete batch is left out. Data
    that are not in memory are fetched in a thread of their own, so they must not draw from torch's
    global generator.

    Args:
        data: Training samples.
        batch: Samples a step, over all processes.
        seed: Seeds the order.
        rank: Number of this process.
        processes: Count of processes; each gets an equal share of a batch.
        parts: Count of parts in which a process computes its share, one after the other.

    Raises:
        InputError: There are fewer samples than a batch, or the batch does not divide.
    """

    def __init__(
        self,
        data: Data[object],
        batch: int,
        seed: int,
        *,
        rank: int = 0,
        processes: int = 1,
        parts: int = 1,
    ) -> None:
        if batch % processes:
            raise InputError(
                f"A batch of {batch} does not divide over {processes} processes: "
                "choose a multiple."
            )
        if batch // processes < parts:
            raise InputError(
                f"A batch of {batch} over {processes} processes does not make {parts} parts: "
                "lower `accumulate`."
            )
        if len(data) < batch:
            raise InputError(
                f"The training set has {len(data)} samples, fewer than one batch of {batch}: "
                "give more data or a smaller `batch`."
            )
        self.data, self.batch, self.seed, self.parts = data, batch, seed, parts
        self.rank, self.processes = rank, processes

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return len(self.data) // self.batch

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Parts]:
        """Yield the parts of every step of an epoch from step `start` on."""
        order = self._order(epoch)
        shares = (self._share(order, step) for step in range(start, self.steps))
        # Rows of tensors are taken faster than another thread is asked for them.
        fetch = map if isinstance(self.data, Tensors) else ahead
        return iter(fetch(self._fetch, shares))

    def _order(self, epoch: int) -> Tensor:
        generator = torch.Generator().manual_seed(derive(self.seed, epoch))
        return torch.randperm(len(self.data), generator=generator)

    def _share(self, order: Tensor, step: int) -> Tensor:
        """Places in the data of the samples that this process has in a step."""
        together = order[step * self.batch : (step + 1) * self.batch]
        return together.chunk(self.processes)[self.rank]

    def _fetch(self, share: Tensor) -> Parts:
        return [(index, self.data[index]) for index in share.tensor_split(self.parts)]


def ahead(function: Callable[[Tensor], T], inputs: Iterable[Tensor]) -> Iterator[T]:
    """Map a function over inputs in a thread, one ahead of the caller, who gets its errors."""
    pending: deque[Future[T]] = deque()
    with ThreadPoolExecutor(1, "loader") as thread:
        for each in inputs:
            pending.append(thread.submit(function, each))
            if len(pending) > 1:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
