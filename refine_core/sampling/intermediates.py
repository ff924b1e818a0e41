"""What samples look like after each scale, while they are drawn.

Every domain's sampling takes `after_scale`, a function that is called after each scale: to show
progress, to keep what it is given, or to end the sampling by an error. `Intermediates` keeps all:

    steps = Intermediates()
    images = model.sample(16, after_scale=steps)
    [step.data for step in steps]  # from coarse to fine
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import Tensor

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True)
class Intermediate(Generic[T]):
    """Samples as they are after a scale.

    Args:
        scale: Number of the scale, from 0.
        index: (b,) int64 on the CPU, numbers of the samples.
        data: The samples, decoded as they are so far, in the form that sampling returns.
    """

    scale: int
    index: Tensor
    data: T


AfterScale = Callable[[Intermediate[T]], None]
"""Is called after each scale of each batch."""


def through(after_scale: AfterScale[T] | None, change: Callable[[S], T]) -> "AfterScale[S] | None":
    """What takes samples in another form, changes them and hands them on; None for None."""
    if after_scale is None:
        return None
    return lambda step: after_scale(Intermediate(step.scale, step.index, change(step.data)))


class Intermediates(Generic[T]):
    """Keeps what it is given, in order: scale by scale, batch after batch.

    >>> steps = Intermediates()
    >>> samples = model.sample(4, after_scale=steps)                   # doctest: +SKIP
    >>> coarse_to_fine = [step.data for step in steps]
    """

    def __init__(self) -> None:
        self.steps: list[Intermediate[T]] = []

    def __call__(self, step: Intermediate[T]) -> None:
        """Keep the samples after a scale."""
        self.steps.append(step)

    def __iter__(self) -> Iterator[Intermediate[T]]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, place: int) -> Intermediate[T]:
        return self.steps[place]
