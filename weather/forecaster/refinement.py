"""The head that samples the residual about the mean by refinement, scale by scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from refine_core.embed import Embed
from refine_core.grid import build_refiner, gather, neighbours
from refine_core.methods.registry import build_methods
from refine_core.noise import Noise
from refine_core.residual import ResidualTokenizer
from refine_core.sampling.intermediates import AfterScale
from refine_core.sampling.settings import Sampling
from refine_core.tokens import Tokens
from weather.forecaster.config import HeadConfig
from weather.forecaster.head import ResidualHead
from weather.forecaster.inputs import CLOCK, HeadContext
from weather.forecaster.sphere import pad
from weather.forecaster.tokenizer import Encoder


class RefineHead(ResidualHead):
    """Codes of the residual, from the whole globe to patches, in one network call a scale.

    Args:
        tokenizer: The tokeniser of the residual.
        inputs: Channels of the context's maps.
        hidden: Width of the context's hidden states, on the tokeniser's finest grid.
        config: The configuration of the head.

    Raises:
        InputError: Sizes or counts of scales do not fit together.
    """

    def __init__(
        self, tokenizer: ResidualTokenizer, inputs: int, hidden: int, config: HeadConfig
    ) -> None:
        super().__init__()
        network = config.network
        self.refiner = build_refiner(
            tokenizer,
            ContextEmbed(tokenizer, inputs, hidden, network.dim),
            dim=network.dim,
            depth=network.depth,
            heads=network.heads,
            history=config.history,
            dropout=network.dropout,
            maps=tokenizer.schedule.wholes,
            corruption=config.corruption,
            methods=build_methods(config.methods),
        )
        self.set_temperature(config.temperature)

    @property
    def embed(self) -> "ContextEmbed":
        """Embeds states and contexts."""
        return cast(ContextEmbed, self.refiner.embed)

    @property
    def tokenizer(self) -> ResidualTokenizer:
        """The tokeniser of the residual."""
        return cast(ResidualTokenizer, self.refiner.tokenizer)

    @property
    def calls(self) -> int:
        """Network calls that a sample takes: one for each scale."""
        return len(self.refiner.tokenizer.schedule)

    def set_temperature(self, temperature: Sequence[float]) -> None:
        """Sample at one temperature for all scales, or at one each.

        Raises:
            InputError: The scales are more or fewer, or a temperature is negative.
        """
        self.sampling = Sampling.per_scale(self.calls, temperature=temperature)

    def forward(self, residual: Tensor, context: HeadContext, noise: Noise) -> dict[str, Tensor]:
        """Training losses: the negative log-probability of the residual's codes."""
        losses: dict[str, Tensor] = self.refiner((residual, self.embed.encode(context)), noise)
        return losses

    def after_step(self) -> None:
        """Let the methods learn from a step."""
        self.refiner.after_step()

    def sample(self, context: HeadContext, noise: Noise) -> Tensor:
        """Residuals (b, C, H, W)."""
        return self.refiner.sample(noise, self.embed.encode(context), sampling=self.sampling)

    def sample_scales(
        self, context: HeadContext, noise: Noise, after_scale: AfterScale[Tensor]
    ) -> Tensor:
        """Residuals (b, C, H, W), and after each scale what they are so far."""
        known = self.embed.encode(context)
        return self.refiner.sample(noise, known, sampling=self.sampling, after_scale=after_scale)


@dataclass(frozen=True)
class EncodedContext:
    """A context, encoded for the tokens of every scale.

    Args:
        grid: (b, dim, h, w) on the tokeniser's finest grid.
        clock: (b, 4).
    """

    grid: Tensor
    clock: Tensor


class ContextEmbed(Embed[Tensor, EncodedContext]):
    """Embeds the 3 x 3 cells of the state around each cell of a scale, its context and position.

    The context is encoded once, on the finest grid, and reduced to every scale.
    """

    def __init__(self, tokenizer: ResidualTokenizer, inputs: int, hidden: int, dim: int) -> None:
        super().__init__()
        self.view, self.take, self.pyramid = tokenizer.view, tokenizer.take, tokenizer.pyramid
        self.patches = cast(Encoder, tokenizer.encoder).patches
        self.maps = nn.Linear(inputs * self.patches.patch**2, dim)
        self.hidden = nn.Linear(hidden, dim)
        self.enter = nn.Linear(9 * tokenizer.dim, dim)
        self.position = nn.ParameterList(
            nn.Parameter(0.02 * torch.randn(scale.tokens, dim)) for scale in tokenizer.schedule
        )
        self.clock = nn.Sequential(nn.Linear(CLOCK, dim), nn.SiLU(), nn.Linear(dim, dim))
        for k, scale in enumerate(tokenizer.schedule):
            self.register_buffer(f"near_{k}", neighbours(scale), persistent=False)

    def encode(self, context: HeadContext) -> EncodedContext:
        """Encode a context, once for all scales."""
        cells = self.maps(self.patches(context.maps)) + self.hidden(context.hidden)
        return EncodedContext(cells.transpose(1, 2).unflatten(2, self.patches.size), context.clock)

    def forward(self, state: Tensor, k: int, context: EncodedContext | None = None) -> Tokens:
        """Tokens (b, n_k, dim) of scale k."""
        assert context is not None, "residuals are sampled with a context only"
        reduced = self.pyramid.resample(context.grid, len(self.position) - 1, k)
        around = gather(pad(self.view(state, k)), self.get_buffer(f"near_{k}")).flatten(2)
        return Tokens(self.enter(around) + self.take(reduced, k) + self.position[k])

    def condition(self, context: EncodedContext | None, count: int) -> Tensor:
        """Time of day and year, (count, dim)."""
        assert context is not None, "residuals are sampled with a context only"
        vector: Tensor = self.clock(context.clock)
        return vector
