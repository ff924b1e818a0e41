"""Autoguidance: away from a weaker version of the model itself (Karras et al., 2024, 2406.02507).

Guidance to a class moves samples away from those of other classes, so it costs variety. A weaker
model of the same classes errs where the strong one does, only more, so that

    (1 + w) log p_strong(c | s, y) - w log p_weak(c | s, y) + const.

moves away from errors and leaves the variety of a class (the paper's equation 4, on logits). The
weak one should be smaller and less trained on the same data. It is another model over the same
tokeniser; or it is a copy with fewer blocks, trained beside the strong one in some of the steps.
Its gradients are its own then, and the two share only the limit of the gradient's norm.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from refine_core.config.ranges import NonNegativeFloat, OneOrMore, PositiveInt, Share
from refine_core.embed import ContextT, StateT
from refine_core.errors import InputError
from refine_core.heads.distribution import Distribution
from refine_core.methods.base import Find, Method, SamplingRun, TrainingPass, same_codes
from refine_core.methods.registry import method
from refine_core.noise import Noise
from refine_core.sampling.caller import Call, Wrapped
from refine_core.sampling.rows import mapped
from refine_core.schedule import per_scale
from refine_core.tokenizer import DataT, FeaturesT
from refine_core.training.shards import local

if TYPE_CHECKING:
    from refine_core.embed import Embed
    from refine_core.refiner import Refiner
    from refine_core.transformer import Transformer


@method("autoguidance")
class Autoguidance(Method[DataT, FeaturesT, StateT, ContextT]):
    """Guides away from a weaker model; a weight of 0 costs no call of it.

    Args:
        weight: w, one for all scales or one per scale.
        weak: Name or path of the weaker model; empty trains one beside the strong one.
        depth: Blocks of one that is trained beside the strong one.
        share: Share of the steps in which that one is trained.
    """

    in_sampling = True

    def __init__(
        self,
        weight: OneOrMore[NonNegativeFloat] = (1.0,),
        weak: str = "",
        depth: PositiveInt = 1,
        share: Share = 1.0,
    ) -> None:
        super().__init__()
        self.weight, self.weak, self.depth, self.share = weight, weak, depth, share
        self.parts: nn.ModuleList | None = None
        self.others: list[nn.Module] = []  # in a list, so that it is not saved with the refiner

    def attach(self, refiner: "Refiner[DataT, FeaturesT, StateT, ContextT]") -> None:
        """Make the weaker networks, unless another model is named."""
        if not self.weak:
            shared = {id(refiner.tokenizer): refiner.tokenizer}  # whose methods an embedding holds
            embed, transformer = deepcopy(refiner.embed, shared), deepcopy(refiner.transformer)
            transformer.blocks = transformer.blocks[: self.depth]
            head = cast(nn.Module, deepcopy(refiner.head))
            self.parts = nn.ModuleList([embed, transformer, head])

    def connect(self, refiner: "Refiner[DataT, FeaturesT, StateT, ContextT]", find: Find) -> None:
        """Load the weaker model, or take the networks that were trained beside the refiner."""
        per_scale(f"{self.name}: weight", self.weight, len(refiner.tokenizer.schedule))
        if self.weak:
            self.others = [same_codes(self.name, refiner, find(self.weak))]
            return
        for own in refiner.own_methods:
            if isinstance(own, Autoguidance):
                self.parts = own.parts
        if self.parts is None:
            raise InputError(
                f"{self.name}: found no weaker model: name one as `weak`, or switch the method on "
                "where the generator is trained."
            )

    def weaker(
        self, refiner: "Refiner[DataT, FeaturesT, StateT, ContextT]"
    ) -> "Refiner[DataT, FeaturesT, StateT, ContextT]":
        """The weaker model as a refiner."""
        if self.parts is None:
            weak = cast("Refiner[DataT, FeaturesT, StateT, ContextT]", self.others[0])
            return weak.to(next(refiner.parameters()).device)
        embed, transformer, head = self.parts
        return refiner.with_parts(
            cast("Embed[StateT, ContextT]", embed), cast("Transformer", transformer), head
        )

    def losses(
        self,
        refiner: "Refiner[DataT, FeaturesT, StateT, ContextT]",
        done: TrainingPass[FeaturesT, StateT, ContextT],
    ) -> dict[str, Tensor]:
        """The loss of the networks beside the refiner, zero in steps that leave them out."""
        if self.parts is None:
            return {}
        step = Noise(done.noise.seed, done.noise.index.new_zeros(1))
        if float(self.stream(step).uniform(0)) >= self.share:
            own = map(local, self.parts.parameters())
            return {"weak": torch.stack([0 * p.sum() for p in own]).sum()}
        apart = replace(done, context=mapped(done.context, Tensor.detach))
        return {"weak": self.weaker(refiner).losses_on(apart)["loss"]}

    def call(
        self,
        call: Call[StateT],
        refiner: "Refiner[DataT, FeaturesT, StateT, ContextT]",
        run: SamplingRun[ContextT],
    ) -> Call[StateT]:
        """Calls of both models."""
        if not any(self.weight):
            return call
        weak = self.weaker(refiner).caller(run.context, run.count, cached=run.cached)
        scales = len(refiner.tokenizer.schedule)
        return AwayFrom(call, weak, per_scale(f"{self.name}: weight", self.weight, scales))


class AwayFrom(Wrapped[StateT]):
    """A stronger call that is guided away from a weaker one, by a weight w for each scale."""

    def __init__(self, strong: Call[StateT], weak: Call[StateT], weights: Sequence[float]) -> None:
        super().__init__(strong)
        self.weak, self.weights = weak, weights

    def __call__(self, state: StateT, k: int, guidance: float = 0.0) -> Distribution:
        """(1 + w) strong - w weak."""
        dist = self.inner(state, k, guidance)
        if self.weights[k] == 0:
            self.weak.skip(state, k)
            return dist
        return dist.guided(self.weak(state, k), self.weights[k])
