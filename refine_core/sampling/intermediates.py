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

    >>> import torch
    >>> import refine_core as rc
    >>> def show(step):
    ...     print(f"scale {step.scale} of samples {step.index.tolist()}: {tuple(step.data.shape)}")
    >>> show(rc.Intermediate(0, torch.arange(2), torch.zeros(2, 1, 28, 28)))  # as after_scale=show
    scale 0 of samples [0, 1]: (2, 1, 28, 28)
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

    >>> import torch
    >>> import refine_core as rc
    >>> scales, same = rc.ScaleSchedule.geometric((1,), (4,), 3), torch.nn.Identity()
    >>> parts = scales, rc.area(scales.sizes), [rc.VQ(16, 8)] * 3, same, same
    >>> tokenizer = rc.ResidualTokenizer(*parts)  # of data (b, 8, 4)
    >>> embed, steps = rc.GridEmbed(tokenizer, dim=32), rc.Intermediates()
    >>> refiner = rc.build_refiner(tokenizer, embed, dim=32, depth=1, heads=2)
    >>> samples = refiner.sample(rc.Noise.range(0, 2), after_scale=steps)
    >>> len(steps), bool((steps[2].data == samples).all())
    (3, True)
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
