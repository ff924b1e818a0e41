"""Batches: their order, and fetching ahead."""

import threading

import pytest
import torch
from torch import Tensor

from refine_core.errors import InputError
from refine_core.training.data import Tensors
from refine_core.training.loader import Loader, ahead
from refine_core.training.loop import fit
from tests.refine_core.training.toys import OPT, data, line


class OnDisk:
    """Data that are not in memory."""

    def __init__(self, tensors: Tensors, broken: int | None = None) -> None:
        self.tensors, self.broken = tensors, broken
        self.threads: set[str] = set()

    def __len__(self) -> int:
        return len(self.tensors)

    def __getitem__(self, index: Tensor) -> tuple[Tensor, ...]:
        self.threads.add(threading.current_thread().name)
        if self.broken is not None and self.broken in index:
            raise InputError("sample 7 is damaged")
        return self.tensors[index]


def test_fetching_ahead_changes_nothing() -> None:
    disk = OnDisk(data())
    one, history = fit(line(), data(), OPT, seed=1, quiet=True)
    two, other = fit(line(), disk, OPT, seed=1, quiet=True)
    assert torch.equal(one.linear.weight, two.linear.weight)
    assert [row["loss"] for row in history] == [row["loss"] for row in other]
    assert all(name.startswith("loader") for name in disk.threads)


def test_errors_of_the_data_are_raised() -> None:
    with pytest.raises(InputError, match="sample 7 is damaged"):
        fit(line(), OnDisk(data(), broken=7), OPT, seed=1, quiet=True)


def test_the_next_batch_is_fetched_while_one_is_used() -> None:
    fetched = [threading.Event() for _ in range(4)]

    def fetch(index: Tensor) -> int:
        fetched[int(index)].set()
        return int(index)

    for place, value in enumerate(ahead(fetch, torch.arange(4))):
        assert value == place
        assert fetched[min(place + 1, 3)].wait(10)
        assert not any(event.is_set() for event in fetched[place + 2 :])


def test_processes_and_parts_share_a_batch_in_order() -> None:
    def places(rank: int, processes: int, parts: int) -> list[list[int]]:
        loader = Loader(data(), 8, 1, rank=rank, processes=processes, parts=parts)
        return [torch.cat([index for index, _ in step]).tolist() for step in loader.epoch(3)]

    whole = places(0, 1, 1)
    assert len(whole) == 5 and len({place for step in whole for place in step}) == 40
    halves = [places(rank, 2, 3) for rank in range(2)]
    assert [first + second for first, second in zip(*halves, strict=True)] == whole
    assert [index.tolist() for index, _ in next(Loader(data(), 8, 1).epoch(3, 4))] == whole[4:]
    with pytest.raises(InputError, match="8 does not divide over 3 processes"):
        Loader(data(), 8, 1, processes=3)
