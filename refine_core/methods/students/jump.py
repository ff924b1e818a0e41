"""Consistency between scales: one call from any state to the final features.

A consistency model maps every point of a trajectory to its end (Song et al., 2023, arXiv
2303.01469). A trajectory here is the states s_0, ..., s_K of a sample. The jump

    D(s, k) = up(s) + net(s, k) for k < K,   D(s, K) = s

is trained so that neighbours agree, the finer one by a moving average of the weights and without
gradient:

    loss = E_k |D(s_k, k) - sg D'(s_{k+1}, k + 1)|^2.

Many trajectories pass through a coarse state, so what agrees best in squares is the mean of their
ends, D(s, k) = E[s_K | s_k]: a preview of what a state will become, blurred where that is open.
It would be a sampler only if the trajectory were a function of its state, as the ODE of a
diffusion model makes it.
"""

import torch
from torch import Tensor, nn

from refine_core.embed import convolution
from refine_core.noise import Noise, Stream
from refine_core.residual import ResidualTokenizer
from refine_core.tokens import Tokens, join
from refine_core.transformer import Transformer

_STREAM = 2303_01469


class GridJump(nn.Module):
    """A transformer over the cells of the finest grid, which adds to the state.

    Args:
        tokenizer: A tokeniser over a grid of one to three axes.
        dim: Width of the transformer.
        depth: Its blocks.
        heads: Its attention heads.
        classes: Count of classes of the context; 0 if there are none.

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
    ) -> None:
        super().__init__()
        schedule = tokenizer.schedule
        size = schedule[-1].size
        self.schedule, self.pyramid = schedule, tokenizer.pyramid
        self.classes = classes
        self.enter = convolution(len(size), tokenizer.dim, dim)
        self.position = nn.Parameter(0.02 * torch.randn(dim, *size))
        self.label = nn.Embedding(classes + 1, dim)
        self.transformer = Transformer(dim, depth, heads, len(schedule), dim)
        self.leave = nn.Linear(dim, tokenizer.dim)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, state: Tensor, k: int, context: Tensor | None = None) -> Tensor:
        """Final features (b, d, *finest) of the state before scale k; of k = K, the state.

        Args:
            state: State before scale k.
            k: 0 to the count of scales.
            context: Classes (b,) int64, below 0 for any; None is any.
        """
        state = self._finest(state)
        if k == len(self.schedule):
            return state
        cells = (self.enter(state) + self.position).flatten(2).transpose(1, 2)
        if context is None:
            context = torch.full((len(state),), -1, device=state.device)
        label = self.label(torch.where(context < 0, self.classes, context))
        hidden = self.transformer(join([Tokens(cells).at(k)], label))
        change: Tensor = self.leave(hidden).transpose(1, 2)
        jumped: Tensor = state + change.unflatten(2, state.shape[2:])
        return jumped

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


def random_scale(noise: Noise, count: int) -> int:
    """A scale from 0 to count - 1, the same for all samples and all parts of a step."""
    step = Noise(noise.seed, noise.index.new_zeros(1)).fork(_STREAM)
    return int(step.uniform(Stream.CODES) * count)
