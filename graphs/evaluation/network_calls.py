"""Network calls: how many a model makes, and in which ways it can make more or fewer."""

import math
from dataclasses import dataclass
from typing import Any, cast

from torch import nn

from graphs.config import SamplingConfig
from graphs.generators.sampling import way
from graphs.model import GraphModel
from refine_core.errors import InputError


class Counter:
    """Counts calls of the refiner's transformer, and of a decoder if there is one.

    Args:
        model: Whose networks are watched.

    Attributes:
        made: Calls since it was entered.
    """

    def __init__(self, model: GraphModel) -> None:
        self.made = 0
        self.watched: list[nn.Module] = [model.refiner.transformer]
        if hasattr(model.refiner.tokenizer, "decoder"):
            self.watched.append(cast(nn.Module, model.refiner.tokenizer.decoder))

    def a_batch(self, count: int, batch: int) -> int:
        """Calls for one of the batches in which `count` graphs were drawn, rounded up."""
        return math.ceil(self.made / math.ceil(count / batch))

    def __enter__(self) -> "Counter":
        def count(*_: object) -> None:
            self.made += 1

        self.hooks = [module.register_forward_hook(count) for module in self.watched]
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self.hooks:
            hook.remove()


@dataclass(frozen=True)
class Way:
    """A way to sample.

    Args:
        name: For a table.
        options: Of `GraphModel.sample`.
    """

    name: str
    options: dict[str, Any]


def ways(model: GraphModel, calls: tuple[int, ...], batch: int = 250) -> list[Way]:
    """Ways in which a model makes about the numbers of calls given, fewest first.

    A contraction's splits are drawn all at once, or only such as are no neighbours, or one by one;
    for more calls than these need, its last scales are drawn again (`graphs.restart`) as often
    as fits. Of the other kinds the number is free, but for a smallest.

    Args:
        model: Of any kind.
        calls: Wanted numbers.
        batch: Graphs drawn at once, of which the largest sets a contraction's number.
    """
    if model.config.model.kind != "contraction":
        return [
            Way(f"{number} calls", {"calls": number})
            for number in sorted(set(calls))
            if _possible(model, number)
        ]
    found = [
        Way("all at once", {"parallel": "all"}),
        Way("no neighbours", {"parallel": "independent"}),
    ]
    with Counter(model) as counter:
        model.sample(batch, parallel="independent", restarts=0, batch=batch)
    base = counter.made
    each = max(1, base - model.config.sampling.restart_scale)
    for number in sorted({(number - base) // each for number in calls}):
        if number > 0:
            name = f"no neighbours, last {each} scales again {number} x"
            found.append(Way(name, {"parallel": "independent", "restarts": number}))
    return found


def _possible(model: GraphModel, number: int) -> bool:
    """Whether a model's tokeniser takes a number of calls."""
    how: SamplingConfig = way(model.config.model, model.config.sampling, calls=number)
    try:
        cast(Any, model.refiner.tokenizer).ask(number, how.order)
    except InputError:
        return False
    return True
