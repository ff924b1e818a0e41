"""Network calls: how many a model makes, and in which ways it can make more or fewer."""

import math
from dataclasses import dataclass
from typing import Any

from graphs.model import GraphModel


class Counter:
    """Counts calls of the refiner's transformer.

    Args:
        model: Whose network is watched.

    Attributes:
        made: Calls since it was entered.
    """

    def __init__(self, model: GraphModel) -> None:
        self.made = 0
        self.transformer = model.refiner.transformer

    def a_batch(self, count: int, batch: int) -> int:
        """Calls for one of the batches in which `count` graphs were drawn, rounded up."""
        return math.ceil(self.made / math.ceil(count / batch))

    def __enter__(self) -> "Counter":
        def count(*_: object) -> None:
            self.made += 1

        self.hook = self.transformer.register_forward_hook(count)
        return self

    def __exit__(self, *_: object) -> None:
        self.hook.remove()


@dataclass(frozen=True)
class Way:
    """A way to sample.

    Args:
        name: For a table.
        options: Of `GraphModel.sample`.
    """

    name: str
    options: dict[str, Any]


def ways(model: GraphModel, calls: tuple[int, ...]) -> list[Way]:
    """Ways to sample in which a model makes different numbers of network calls, fewest first.

    A contraction's splits are drawn all at once, or only such as are no neighbours; the number of
    calls follows. Of masked diffusion the number is free.

    Args:
        model: Of any kind.
        calls: Wanted numbers, where they are free.
    """
    if model.config.model.kind == "contraction":
        return [
            Way("all at once", {"parallel": "all"}),
            Way("no neighbours", {"parallel": "independent"}),
        ]
    return [Way(f"{number} calls", {"calls": number}) for number in sorted(set(calls))]
