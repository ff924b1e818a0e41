"""Consistency between scales: one call from any state to the final features.

A consistency model maps every point of a trajectory to its end (Song et al., 2023, arXiv
2303.01469). A trajectory here is the states s_0, ..., s_K of a sample. The jump

    D(s, k) = up(s) + net(s, k) for k < K,   D(s, K) = s

is trained so that neighbours agree, the finer one by a moving average of the weights and without
gradient:

    loss = E_k |D(s_k, k) - sg D'(s_{k+1}, k + 1)|^2.

Many trajectories pass through a coarse state, so what agrees best in squares is the mean of their
ends, D(s, k) = E[s_K | s_k]: a preview of what a state will become, blurred where that is open.
It is a sampler only if the trajectory is a function of its state, as the ODE of a diffusion model
makes it. A refiner that draws codes by the inverse distribution function is one, of the state and
the uniform numbers u of the scales that are left. So a jump that sees u (`GridJump(noise=True)`)
and learns from a teacher's samples is the sampler of one call of consistency distillation.
"""

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor, nn

from refine_core.errors import InputError, suggest
from refine_core.methods.students.coupling import BINS, hats
from refine_core.noise import Noise, Stream
from refine_core.residual import ResidualTokenizer
from refine_core.sampling.settings import Sampling
from refine_core.tokenizer import DataT
from refine_core.tokens import Tokens, join
from refine_core.transformer import Transformer

if TYPE_CHECKING:
    from refine_core.refiner import Refiner

Trajectories = Literal["data", "teacher"]
"""States of encoded data, or of a refiner's samples."""
_STREAM = 2303_01469
_CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


class GridJump(nn.Module):
    """A transformer over the cells of the finest grid, which adds to the state.

    Args:
        tokenizer: A tokeniser over a grid of one to three axes.
        dim: Width of the transformer.
        depth: Its blocks.
        heads: Its attention heads.
        classes: Count of classes of the context; 0 if there are none.
        noise: Whether the uniform numbers of the scales that are left are an input.

    Raises:
        InputError: The grid has more axes, or `heads` does not divide `dim`.
    """

    def __init__(
        self,
        tokenizer: ResidualTokenizer,
        *,
        dim: int,
        depth: int,
        heads: int,
        classes: int = 0,
        noise: bool = False,
    ) -> None:
        super().__init__()
        schedule, digits = tokenizer.schedule, tokenizer.digits(0)
        size = schedule[-1].size
        if len(size) not in _CONVOLUTIONS:
            raise InputError(f"A jump goes over grids of one to three axes, found {len(size)}.")
        self.schedule, self.pyramid = schedule, tokenizer.pyramid
        self.digits, self.classes, self.noise = digits, classes, noise
        self.enter = _CONVOLUTIONS[len(size)](tokenizer.dim, dim, 3, padding=1)
        self.position = nn.Parameter(0.02 * torch.randn(dim, *size))
        self.label = nn.Embedding(classes + 1, dim)
        self.transformer = Transformer(dim, depth, heads, len(schedule), dim)
        self.leave = nn.Linear(dim, tokenizer.dim)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)
        self.told = nn.Linear(digits * BINS, dim) if noise else None
        self.place = nn.ParameterList(
            nn.Parameter(0.02 * torch.randn(scale.tokens, dim)) for scale in schedule if noise
        )

    def forward(
        self,
        state: Tensor,
        k: int,
        context: Tensor | None = None,
        uniform: Sequence[Tensor] = (),
    ) -> Tensor:
        """Final features (b, d, *finest) of the state before scale k; of k = K, the state.

        Args:
            state: State before scale k.
            k: 0 to the count of scales.
            context: Classes (b,) int64, below 0 for any; None is any.
            uniform: See `numbers`; of the scales before k they are not used.
        """
        state = self._finest(state)
        if k == len(self.schedule):
            return state
        cells = (self.enter(state) + self.position).flatten(2).transpose(1, 2)
        parts = [Tokens(cells).at(k)]
        if self.told is not None:
            parts += [
                Tokens(self.told(hats(uniform[j]).flatten(2)) + self.place[j]).at(k)
                for j in range(k, len(self.schedule))
            ]
        if context is None:
            context = torch.full((len(state),), -1, device=state.device)
        label = self.label(torch.where(context < 0, self.classes, context))
        hidden = self.transformer(join(parts, label))[:, : cells.shape[1]]
        change: Tensor = self.leave(hidden).transpose(1, 2)
        jumped: Tensor = state + change.unflatten(2, state.shape[2:])
        return jumped

    def numbers(self, noise: Noise) -> list[Tensor]:
        """The uniform numbers (b, n_k, g) that a refiner draws the codes of each scale with."""
        return [
            noise.fork(k).uniform(Stream.CODES, scale.tokens, self.digits)
            for k, scale in enumerate(self.schedule)
        ]

    @torch.no_grad()
    def approach(self, other: "GridJump", decay: float) -> None:
        """Become `decay` times itself plus the rest of the other."""
        for mine, theirs in zip(self.parameters(), other.parameters(), strict=True):
            mine.lerp_(theirs, 1 - decay)

    def _finest(self, state: Tensor) -> Tensor:
        """The state on the finest grid, where an open loop's is smaller."""
        finest = len(self.schedule) - 1
        if state.shape[2:] == self.schedule[finest].size:
            return state
        source = self.schedule.sizes.index(tuple(state.shape[2:]))
        return self.pyramid.resample(state, source, finest)


class Consistency(nn.Module):
    """Trains a jump by `refine_core.training.fit`.

    The refiner is not among the module's parameters: checkpoints hold the jump and its average.

    Args:
        refiner: Gives the trajectories; only its tokeniser is used for those of data.
        jump: What is trained.
        trajectories: See `Trajectories`.
        sampling: How the refiner samples: one for all scales, or one each.
        decay: Of the moving average that gives the targets, at each step.
        neighbours: Whether targets are jumps from the next state; else they are the ends
            themselves, which are known here: the same minimum, with more variance.

    Raises:
        InputError: The trajectories are unknown, or a jump that sees noise is to learn from data.
    """

    def __init__(
        self,
        refiner: "Refiner[Tensor, Tensor, Tensor, Tensor]",
        jump: GridJump,
        *,
        trajectories: Trajectories = "data",
        sampling: Sequence[Sampling] = (Sampling(),),
        decay: float = 0.95,
        neighbours: bool = True,
    ) -> None:
        super().__init__()
        if trajectories not in get_args(Trajectories):
            raise InputError(
                f"trajectories is one of {get_args(Trajectories)}, found {trajectories!r}."
                f"{suggest(trajectories, get_args(Trajectories))}"
            )
        if jump.noise and trajectories == "data":
            raise InputError(
                "A jump that sees noise learns how a refiner makes codes of it: choose the "
                'trajectories "teacher".'
            )
        self.jump, self.target = jump, copy.deepcopy(jump).requires_grad_(False)
        self.trajectories, self.sampling = trajectories, tuple(sampling)
        self.decay, self.neighbours = decay, neighbours
        self._hidden = [refiner.eval()]  # a list hides it from parameters and checkpoints

    def forward(
        self, batch: tuple[Tensor] | tuple[Tensor, Tensor], noise: Noise
    ) -> dict[str, Tensor]:
        """Losses of data `batch[0]` with context `batch[1]`, at one random scale of the step.

        "loss" is the mean square over features; "end" is that of the jump to the true end.
        """
        refiner = self._hidden[0].to(noise.index.device)
        context = batch[1] if len(batch) > 1 else None
        with torch.no_grad():
            if self.trajectories == "data":
                states = refiner.tokenizer.trace(refiner.tokenizer.features(batch[0])).states
            else:
                states = refiner.sample_trace(noise, context, sampling=self.sampling).states
        k = random_scale(noise, len(states) - 1)
        uniform = self.jump.numbers(noise) if self.jump.noise else ()
        found = self.jump(states[k], k, context, uniform)
        with torch.no_grad():
            wanted = states[-1]
            if self.neighbours:
                wanted = self.target(states[k + 1], k + 1, context, uniform)
        return {
            "loss": (found.float() - wanted).square().mean(),
            "end": (found.detach().float() - states[-1]).square().mean(),
        }

    def after_step(self) -> None:
        """Move the average towards the weights."""
        self.target.approach(self.jump, self.decay)


def random_scale(noise: Noise, count: int) -> int:
    """A scale from 0 to count - 1, the same for all samples and all parts of a step."""
    step = Noise(noise.seed, noise.index.new_zeros(1)).fork(_STREAM)
    return int(step.uniform(Stream.CODES) * count)


@torch.no_grad()
def jump_sample(
    refiner: "Refiner[DataT, Tensor, Tensor, Tensor]",
    jump: GridJump,
    noise: Noise,
    context: Tensor | None = None,
    *,
    sampling: Sequence[Sampling] = (Sampling(),),
    scales: int = 0,
) -> DataT:
    """Data of a jump after `scales` calls of the refiner: `scales` + 1 calls in all.

    Without noise as its input the jump gives the mean of what the refiner would draw.

    Args:
        refiner: Samples the coarsest scales.
        jump: Trained on the refiner's tokeniser.
        noise: Names the samples.
        context: Classes (b,), or None.
        sampling: As in `Refiner.sample_trace`.
        scales: Scales that are sampled before the jump.
    """
    trace = refiner.sample_trace(noise, context, sampling=sampling, scales=scales)
    uniform = jump.numbers(noise) if jump.noise else ()
    return refiner.tokenizer.finish(jump(trace.states[-1], scales, context, uniform))
