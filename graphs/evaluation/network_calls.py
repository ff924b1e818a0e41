"""Network calls: how many a model makes, and the settings of sampling that change their number."""

from dataclasses import dataclass
from typing import Self

from torch import Tensor, nn

from graphs.generators.common.config import SamplingOptions
from graphs.model import GraphModel


class CallCounter:
    """Context manager that counts calls of a model's transformer.

    Args:
        model: Whose calls are counted.

    Attributes:
        calls: Calls since it was entered.
        seen: Graphs in the batches of these calls, together.
    """

    def __init__(self, model: GraphModel) -> None:
        self.calls = self.seen = 0
        self._transformer = model.refiner.transformer

    def per_graph(self, count: int) -> float:
        """Mean calls that each of `count` graphs took part in, those that were drawn again too."""
        return self.seen / count

    def __enter__(self) -> Self:
        def count(module: nn.Module, given: object, hidden: Tensor) -> None:
            self.calls += 1
            self.seen += len(hidden)

        self._hook = self._transformer.register_forward_hook(count)
        return self

    def __exit__(self, *_: object) -> None:
        self._hook.remove()


@dataclass(frozen=True)
class SamplingSetting:
    """One way to sample from a model.

    Args:
        name: For a table.
        options: For `GraphModel.sample`.
    """

    name: str
    options: SamplingOptions


def sampling_settings(model: GraphModel, calls: tuple[int, ...]) -> list[SamplingSetting]:
    """Settings with which a model makes different numbers of network calls, fewest first.

    Args:
        model: Model of any kind.
        calls: Numbers of calls, for models that make any.
    """
    alternatives = model.kind.alternatives(calls)
    return [SamplingSetting(name, options) for name, options in alternatives.items()]
