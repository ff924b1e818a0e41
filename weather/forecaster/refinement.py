"""The residual about the mean, drawn scale by scale: what refinement does in this domain."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from refine_core.embed import Embed, Head
from refine_core.head import BitwiseHead, CategoricalHead
from refine_core.noise import Noise
from refine_core.refiner import Refiner
from refine_core.residual import ResidualTokenizer
from refine_core.tokens import Tokens
from refine_core.transformer import Transformer
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
        dim, count = config.network.dim, len(tokenizer.schedule)
        embed = SituationEmbed(tokenizer, inputs, hidden, dim)
        transformer = Transformer(
            dim,
            config.network.depth,
            config.network.heads,
            levels=count + 1,
            condition=dim,
            history=config.history,
            dropout=config.network.dropout,
        )
        head: Head
        if config.tokenizer.quantizer == "bitwise":
            head = BitwiseHead(dim, tokenizer.digits(0), count)
        else:
            sizes = [tokenizer.digit_values(k) for k in range(count)]
            head = CategoricalHead(dim, tokenizer.digits(0), sizes, tokenizer.schedule.wholes)
        self.refiner = Refiner(
            tokenizer, embed, transformer, head, corruption=config.corruption, dropout=0.0
        )
        self.temperature = config.temperature

    @property
    def embed(self) -> "SituationEmbed":
        """States and situations to tokens."""
        return cast(SituationEmbed, self.refiner.embed)

    @property
    def calls(self) -> int:
        """Network calls that a draw takes."""
        return len(self.refiner.schedule)

    def forward(self, residual: Tensor, situation: Situation, noise: Noise) -> dict[str, Tensor]:
        """Training losses: the negative log-probability of the residual's codes."""
        losses: dict[str, Tensor] = self.refiner((residual, self.embed.known(situation)), noise)
        return losses

    def draw(self, situation: Situation, noise: Noise) -> Tensor:
        """Residuals (b, C, H, W)."""
        temperature = list(self.temperature) * (self.calls if len(self.temperature) == 1 else 1)
        schedule = self.refiner.schedule.with_(temperature=temperature)
        drawn: Tensor = self.refiner.sample(noise, self.embed.known(situation), schedule=schedule)
        return drawn


@dataclass(frozen=True)
class Known:
    """A situation as tokens see it.

    Args:
        grid: (b, dim, h, w) on the tokeniser's finest grid.
        clock: (b, 4).
    """

    grid: Tensor
    clock: Tensor


class SituationEmbed(Embed):
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
            wide = scale.size[1]
            corner = [cell // wide * (wide + 2) + cell % wide for cell in scale.cells]
            square = [row * (wide + 2) + column for row in range(3) for column in range(3)]
            near = torch.tensor(corner)[:, None] + torch.tensor(square)
            self.register_buffer(f"near_{k}", near.flatten(), persistent=False)

    def known(self, situation: Situation) -> Known:
        """Encode a situation, once for all scales."""
        seen = self.maps(self.encode(situation.maps)) + self.hidden(situation.hidden)
        return Known(seen.transpose(1, 2).unflatten(2, self.encode.size), situation.clock)

    def forward(self, state: Tensor, k: int, context: Known | None = None) -> Tokens:
        """Tokens (b, n_k, dim) of scale k."""
        assert context is not None, "a residual is of a situation"
        beneath = self.pyramid.resample(context.grid, len(self.position) - 1, k)
        around = self.around(self.view(state, k), k)
        value = self.enter(around) + self.take(beneath, k) + self.position[k]
        return Tokens(value, torch.full((value.shape[1],), k + 1, device=value.device))

    def around(self, grid: Tensor, k: int) -> Tensor:
        """(b, n_k, d * 9) 3 x 3 cells around each of the scale's, of its grid (b, d, *size)."""
        cells = pad(grid).flatten(2).transpose(1, 2).contiguous()
        near = cells.index_select(1, self.get_buffer(f"near_{k}")).unflatten(1, (-1, 9))
        return cast(Tensor, near).transpose(2, 3).flatten(2)

    def context(self, context: Known | None, count: int) -> Tokens:
        """No tokens; time of day and year as the condition."""
        assert context is not None, "a residual is of a situation"
        vector = self.clock(context.clock)
        nothing = vector.new_zeros(count, 0, vector.shape[1])
        level = torch.zeros(0, dtype=torch.int64, device=vector.device)
        return Tokens(nothing, level, condition=vector)

    def drop(self, context: Known, where: Tensor) -> Known:
        """The same: a residual without a situation means nothing."""
        return context
