"""Collaborative decoding (CoDe, Chen et al., 2024, arXiv 2411.17787): two models share the scales.

    p(codes) = prod_{k < n} p_large(c_k | s_<k)  prod_{k >= n} p_small(c_k | s_<k)

Coarse scales have few tokens and decide what is made; fine ones have most tokens and follow. So
the refiner draws the first n scales, and a smaller one the others. The small one reads the states
of the first n together with its first own call. The paper trains each on its own scales: set the
loss `weights` of the other's to 0.
"""

from typing import TYPE_CHECKING, cast

from torch import nn

from refine_core.config.ranges import NonNegativeInt
from refine_core.embed import ContextT, StateT
from refine_core.errors import InputError
from refine_core.heads.distribution import Distribution
from refine_core.methods.base import Find, Method, SamplingRun, same_codes
from refine_core.methods.registry import method
from refine_core.sampling.caller import Call, Wrapped
from refine_core.tokenizer import DataT, FeaturesT

if TYPE_CHECKING:
    from refine_core.refiner import Refiner


@method("collaborative")
class Collaborative(Method[DataT, FeaturesT, StateT, ContextT]):
    """Lets a smaller model draw the fine scales.

    Args:
        small: Name or path of the smaller model, over the same tokeniser.
        calls: Scales n, each a call, that the refiner itself draws; with as many as there are,
            nothing changes.
    """

    in_sampling = True

    def __init__(self, small: str = "", calls: NonNegativeInt = 0) -> None:
        super().__init__()
        self.small, self.calls = small, calls
        self.others: list[nn.Module] = []  # in a list, so that it is not saved with the refiner

    def connect(self, refiner: "Refiner[DataT, FeaturesT, StateT, ContextT]", find: Find) -> None:
        """Load the smaller model."""
        if not self.small:
            raise InputError(f"{self.name}: found no smaller model: name one as `small`.")
        self.others = [same_codes(self.name, refiner, find(self.small))]

    def call(
        self,
        call: Call[StateT],
        refiner: "Refiner[DataT, FeaturesT, StateT, ContextT]",
        run: SamplingRun[ContextT],
    ) -> Call[StateT]:
        """Calls of the refiner, then of the smaller model."""
        if self.calls >= len(refiner.tokenizer.schedule):
            return call
        small = cast("Refiner[DataT, FeaturesT, StateT, ContextT]", self.others[0])
        small = small.to(next(refiner.parameters()).device)
        own = small.caller(run.context, run.count, guided=run.guided, cached=run.cached)
        return InTurn(call, own, self.calls)


class InTurn(Wrapped[StateT]):
    """A call that another follows.

    Args:
        call: The first.
        after: The other.
        calls: Scales of the first.
    """

    def __init__(self, call: Call[StateT], after: Call[StateT], calls: int) -> None:
        super().__init__(call)
        self.after, self.calls = after, calls

    def __call__(self, state: StateT, k: int, guidance: float = 0.0) -> Distribution:
        """Distribution of the one whose turn it is."""
        if k >= self.calls:
            return self.after(state, k, guidance)
        self.after.skip(state, k)
        return self.inner(state, k, guidance)

    def skip(self, state: StateT, k: int) -> None:
        """The other takes note of every state, the first of those in its turn."""
        self.after.skip(state, k)
        if k < self.calls:
            self.inner.skip(state, k)
