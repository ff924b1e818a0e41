"""The residual about the mean, drawn scale by scale: what refinement does in this domain."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from refine_core.embed import Embed
from refine_core.grid import build_refiner, gather, neighbours
from refine_core.noise import Noise
from refine_core.residual import ResidualTokenizer
from refine_core.sampling import Sampling
from refine_core.tokens import Tokens
from weather.forecaster.config import HeadConfig
from weather.forecaster.mean import CLOCK, Situation
from weather.forecaster.sphere import pad
from weather.forecaster.tokenizer import Encoder


class RefineHead(nn.Module):
    """Codes of the residual, from the whole globe to patches, in one call a scale.

    Args:
        tokenizer: Of the residual.
        inputs: Channels of the situation's maps.
        hidden: Width of the situation's hidden states, on the tokeniser's finest grid.
        config: Of the head.
    """

    def __init__(
        self, tokenizer: ResidualTokenizer, inputs: int, hidden: int, config: HeadConfig
    ) -> None:
        super().__init__()
        network = config.network
        self.refiner = build_refiner(
            tokenizer,
            SituationEmbed(tokenizer, inputs, hidden, network.dim),
            dim=network.dim,
            depth=network.depth,
            heads=network.heads,
            history=config.history,
            dropout=network.dropout,
            maps=tokenizer.schedule.wholes,
            corruption=config.corruption,
        )
        self.temperature = config.temperature

    @property
    def embed(self) -> "SituationEmbed":
        """States and situations to tokens."""
        return cast(SituationEmbed, self.refiner.embed)

    @property
    def calls(self) -> int:
        """Network calls that a draw takes."""
        return len(self.refiner.tokenizer.schedule)

    def forward(self, residual: Tensor, situation: Situation, noise: Noise) -> dict[str, Tensor]:
        """Training losses: the negative log-probability of the residual's codes."""
        losses: dict[str, Tensor] = self.refiner((residual, self.embed.known(situation)), noise)
        return losses

    def draw(self, situation: Situation, noise: Noise) -> Tensor:
        """Residuals (b, C, H, W)."""
        sampling = Sampling.per_scale(self.calls, temperature=self.temperature)
        return self.refiner.sample(noise, self.embed.known(situation), sampling=sampling)


@dataclass(frozen=True)
class Known:
    """A situation as tokens see it.

    Args:
        grid: (b, dim, h, w) on the tokeniser's finest grid.
        clock: (b, 4).
    """

    grid: Tensor
    clock: Tensor


class SituationEmbed(Embed[Tensor, Known]):
    """The state at the scale's size, 3 x 3 cells of it, what is known there, and positions.

    The situation is encoded once, on the finest grid, and reduced to every scale.
    """

    def __init__(self, tokenizer: ResidualTokenizer, inputs: int, hidden: int, dim: int) -> None:
        super().__init__()
        self.view, self.take, self.pyramid = tokenizer.view, tokenizer.take, tokenizer.pyramid
        self.encode = cast(Encoder, tokenizer.encoder).patches
        self.maps = nn.Linear(inputs * self.encode.patch**2, dim)
        self.hidden = nn.Linear(hidden, dim)
        self.enter = nn.Linear(9 * tokenizer.dim, dim)
        self.position = nn.ParameterList(
            nn.Parameter(0.02 * torch.randn(scale.tokens, dim)) for scale in tokenizer.schedule
        )
        self.clock = nn.Sequential(nn.Linear(CLOCK, dim), nn.SiLU(), nn.Linear(dim, dim))
        for k, scale in enumerate(tokenizer.schedule):
            self.register_buffer(f"near_{k}", neighbours(scale), persistent=False)

    def known(self, situation: Situation) -> Known:
        """Encode a situation, once for all scales."""
        seen = self.maps(self.encode(situation.maps)) + self.hidden(situation.hidden)
        return Known(seen.transpose(1, 2).unflatten(2, self.encode.size), situation.clock)

    def forward(self, state: Tensor, k: int, context: Known | None = None) -> Tokens:
        """Tokens (b, n_k, dim) of scale k."""
        assert context is not None, "a residual is of a situation"
        beneath = self.pyramid.resample(context.grid, len(self.position) - 1, k)
        around = gather(pad(self.view(state, k)), self.get_buffer(f"near_{k}")).flatten(2)
        return Tokens(self.enter(around) + self.take(beneath, k) + self.position[k])

    def condition(self, context: Known | None, count: int) -> Tensor:
        """Time of day and year, (count, dim)."""
        assert context is not None, "a residual is of a situation"
        vector: Tensor = self.clock(context.clock)
        return vector
