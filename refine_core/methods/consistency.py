"""Consistency between scales as a method: a jump learnt beside the refiner, and sampling by it.

A `GridJump` predicts the final features from the state before any scale; in training its
predictions from neighbouring scales of one trajectory are made to agree (Song et al., 2023, arXiv
2303.01469; the mathematics are in `refine_core.methods.students.jump`). The refiner itself learns
as without the method. In sampling the jump may take the place of the last sizes: their calls
become one, of a smaller network, and what they would have drawn becomes its mean.
"""

import copy
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from refine_core.config.ranges import NonNegativeInt, PositiveFloat, PositiveInt, ShareBelowOne
from refine_core.embed import ContextT
from refine_core.errors import InputError
from refine_core.methods.base import (
    Find,
    Method,
    SamplingRun,
    TrainingPass,
    Unroll,
    grid_tokenizer,
)
from refine_core.methods.registry import method
from refine_core.methods.students.jump import GridJump, random_scale
from refine_core.sampling.caller import Call, Chooser
from refine_core.tokenizer import DataT, Trace

if TYPE_CHECKING:
    from refine_core.refiner import Refiner


@method("consistency")
class JumpToEnd(Method[DataT, Tensor, Tensor, ContextT]):
    """Trains a jump from any state to the final features, and samples by it if asked to.

    Given for sampling alone, it takes the jump of the refiner's own method of this name.

    Args:
        sizes: Sizes that are sampled before the jump; 0 leaves sampling as it is.
        dim: Width of the jump's transformer.
        depth: Its blocks.
        heads: Its attention heads.
        decay: Of the moving average that gives the targets, at each step.
        weight: Weight of the loss, the mean square over features, beside the refiner's.
    """

    in_sampling = True

    def __init__(
        self,
        sizes: NonNegativeInt = 0,
        dim: PositiveInt = 64,
        depth: PositiveInt = 2,
        heads: PositiveInt = 4,
        decay: ShareBelowOne = 0.95,
        weight: PositiveFloat = 1.0,
    ) -> None:
        super().__init__()
        self.sizes, self.decay, self.weight = sizes, decay, weight
        self.dim, self.depth, self.heads = dim, depth, heads
        self.jump: GridJump | None = None
        self.target: GridJump | None = None
        self.classes: Tensor | None = None

    def attach(self, refiner: "Refiner[DataT, Tensor, Tensor, ContextT]") -> None:
        """Make the jump."""
        classes = getattr(refiner.embed, "classes", 0)
        self.jump = GridJump(
            grid_tokenizer(self.name, refiner),
            dim=self.dim,
            depth=self.depth,
            heads=self.heads,
            classes=classes,
        )
        self.target = copy.deepcopy(self.jump).requires_grad_(False)

    def connect(self, refiner: "Refiner[DataT, Tensor, Tensor, ContextT]", find: Find) -> None:
        """Take the refiner's own jump, and refuse more sizes than there are."""
        count = len(grid_tokenizer(self.name, refiner).schedule.complete)
        if self.sizes >= count:
            raise InputError(
                f"The method {self.name!r} has {self.sizes} sizes before the jump, expected fewer "
                f"than the model's {count}; 0 is no jump."
            )
        if self.jump is None:
            own = [m for m in refiner.own_methods if isinstance(m, JumpToEnd)]
            if not own:
                raise InputError(
                    f"The method {self.name!r} needs a model that was trained with it: list it "
                    "where the generator is set up."
                )
            self.jump = own[0].jump

    def losses(
        self,
        refiner: "Refiner[DataT, Tensor, Tensor, ContextT]",
        done: TrainingPass[Tensor, Tensor, ContextT],
    ) -> dict[str, Tensor]:
        """The disagreement of neighbours, at one random scale of the step."""
        assert self.jump is not None and self.target is not None
        states, context = done.trace.states, _classes(self.jump, done.context)
        k = random_scale(done.noise, len(states) - 1)
        with torch.no_grad():
            wanted = self.target(states[k + 1], k + 1, context)
        found = self.jump(states[k], k, context)
        return {self.name: self.weight * (found.float() - wanted).square().mean()}

    @torch.no_grad()
    def after_step(self) -> None:
        """Move the average towards the weights."""
        assert self.jump is not None and self.target is not None
        self.target.approach(self.jump, self.decay)

    def call(
        self,
        call: Call[Tensor],
        refiner: "Refiner[DataT, Tensor, Tensor, ContextT]",
        run: SamplingRun[ContextT],
    ) -> Call[Tensor]:
        """Remember the classes for the jump at the end."""
        self.classes = _classes(self.jump, run.context)
        return call

    def unroll(
        self,
        unroll: Unroll[Tensor, Tensor],
        refiner: "Refiner[DataT, Tensor, Tensor, ContextT]",
    ) -> Unroll[Tensor, Tensor]:
        """Sample the first sizes, then jump; the trace ends with the state that it jumps to."""
        if not self.sizes:
            return unroll
        calls = refiner.tokenizer.schedule.complete[self.sizes - 1] + 1

        def run(
            state: Tensor, choose: Chooser[Tensor, Tensor], scales: int | None
        ) -> Trace[Tensor]:
            if scales is not None and scales <= calls:
                return unroll(state, choose, scales)
            trace = unroll(state, choose, calls)
            assert self.jump is not None
            end = self.jump(trace.states[-1], calls, self.classes)
            if choose.after is not None:
                choose.after(end, len(refiner.tokenizer.schedule) - 1)
            return Trace([*trace.states[:-1], end], trace.chosen)

        return run


def _classes(jump: GridJump | None, context: object) -> Tensor | None:
    """Classes (b,) that a jump knows, in a context that has nothing else."""
    known = jump is not None and jump.classes and isinstance(context, Tensor)
    return cast(Tensor, context) if known else None
