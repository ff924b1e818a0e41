"""Network calls: how many a model makes."""

import math

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
