"""The residual about the mean, drawn scale by scale: what refinement does in this domain."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from refine_core.embed import Embed, Head
from refine_core.head import BitwiseHead, CategoricalHead
from refine_core.noise import Noise
from refine_core.quantizer import Bitwise, ProductQuantizer, Quantizer
from refine_core.refiner import Refiner
from refine_core.residual import ResidualTokenizer
from refine_core.schedule import ScaleSchedule
from refine_core.tokens import Tokens
from refine_core.transformer import Transformer
from weather.config import HeadConfig, TokenizerConfig
from weather.grid import Grid
from weather.mean import CLOCK, Situation
from weather.sphere import Cells, SphereConv, SpherePyramid


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
            head = CategoricalHead(dim, tokenizer.digits(0), sizes)
        self.refiner = Refiner(
            tokenizer, embed, transformer, head, corruption=config.corruption, dropout=0.0
        )
        self.temperature = config.temperature

    @property
    def calls(self) -> int:
        """Network calls that a draw takes."""
        return len(self.refiner.schedule)

    def forward(self, residual: Tensor, situation: Situation, noise: Noise) -> dict[str, Tensor]:
        """Training losses: the negative log-probability of the residual's codes."""
        losses: dict[str, Tensor] = self.refiner((residual, situation), noise)
        return losses

    def draw(self, situation: Situation, noise: Noise) -> Tensor:
        """Residuals (b, C, H, W)."""
        temperature = list(self.temperature) * (self.calls if len(self.temperature) == 1 else 1)
        schedule = self.refiner.schedule.with_(temperature=temperature)
        drawn: Tensor = self.refiner.sample(noise, situation, schedule=schedule)
        return drawn


class SituationEmbed(Embed):
    """The state at the scale's size, the situation beneath it, and learned positions.

    The situation is encoded once, on the finest grid, and reduced to every scale.
    """

    def __init__(self, tokenizer: ResidualTokenizer, inputs: int, hidden: int, dim: int) -> None:
        super().__init__()
        self.view, self.pyramid = tokenizer.view, tokenizer.pyramid
        self.encode = cast(Encoder, tokenizer.encoder).patches
        self.maps = nn.Linear(inputs * self.encode.patch**2, dim)
        self.hidden = nn.Linear(hidden, dim)
        self.enter = nn.Linear(tokenizer.dim, dim)
        self.position = nn.ParameterList(
            nn.Parameter(0.02 * torch.randn(scale.tokens, dim)) for scale in tokenizer.schedule
        )
        self.clock = nn.Sequential(nn.Linear(CLOCK, dim), nn.SiLU(), nn.Linear(dim, dim))

    def forward(self, state: Tensor, k: int, context: Situation | None = None) -> Tokens:
        """Tokens (b, n_k, dim) of scale k."""
        assert context is not None, "a residual is of a situation"
        value = self.enter(self.view(state, k).flatten(2).transpose(1, 2)) + self.position[k]
        value = value + self.situation(context, k)
        return Tokens(value, torch.full((value.shape[1],), k + 1, device=value.device))

    def situation(self, context: Situation, k: int) -> Tensor:
        """(b, n_k, dim) what is known where each token is."""
        known = self.maps(self.encode(context.maps)) + self.hidden(context.hidden)
        grid = known.transpose(1, 2).unflatten(2, self.encode.size)
        finest = len(self.position) - 1
        return self.pyramid.resample(grid, finest, k).flatten(2).transpose(1, 2)

    def context(self, context: Situation | None, count: int) -> Tokens:
        """No tokens; time of day and year as the condition."""
        assert context is not None, "a residual is of a situation"
        vector = self.clock(context.clock)
        nothing = vector.new_zeros(count, 0, vector.shape[1])
        level = torch.zeros(0, dtype=torch.int64, device=vector.device)
        return Tokens(nothing, level, condition=vector)

    def drop(self, context: Situation, where: Tensor) -> Situation:
        """The same: a residual without a situation means nothing."""
        return context


class Patches(nn.Module):
    """Maps (b, m, H, W) to tokens (b, n, m * p * p) of p x p cells, n = size[0] * size[1]."""

    def __init__(self, grid: Grid, size: Sequence[int]) -> None:
        super().__init__()
        self.size = tuple(size)
        self.patch = max(1, round(grid.shape[1] / size[1]))
        self.cells = Cells(grid, (size[0] * self.patch, size[1] * self.patch))

    def forward(self, maps: Tensor) -> Tensor:
        """Tokens."""
        cells = self.cells.enter(maps)
        return nn.functional.pixel_unshuffle(cells, self.patch).flatten(2).transpose(1, 2)


class ResidualBlock(nn.Module):
    """x + two convolutions on the sphere."""

    def __init__(self, width: int) -> None:
        super().__init__()
        last = SphereConv(width, width)
        nn.init.zeros_(last.weight)
        self.change = nn.Sequential(nn.GELU(), SphereConv(width, width), nn.GELU(), last)

    def forward(self, x: Tensor) -> Tensor:
        """Of the same shape."""
        out: Tensor = x + self.change(x)
        return out


class Encoder(nn.Module):
    """Residual maps (b, C, H, W) to features (b, d, h, w)."""

    def __init__(self, grid: Grid, channels: int, config: TokenizerConfig) -> None:
        super().__init__()
        self.patches = Patches(grid, config.sizes[-1])
        self.enter = nn.Linear(channels * self.patches.patch**2, config.dim)
        self.stem = nn.Conv2d(config.dim, config.width, 1)
        self.body = nn.Sequential(ResidualBlock(config.width), nn.GELU())
        self.leave = nn.Conv2d(config.width, config.dim, 1)
        nn.init.zeros_(self.leave.weight)

    def forward(self, maps: Tensor) -> Tensor:
        """Features."""
        x = self.enter(self.patches(maps)).transpose(1, 2).unflatten(2, self.patches.size)
        out: Tensor = x + self.leave(self.body(self.stem(x)))
        return out


class Decoder(nn.Module):
    """Features (b, d, h, w) to residual maps (b, C, H, W): a linear part, and convolutions."""

    def __init__(self, patches: Patches, channels: int, config: TokenizerConfig) -> None:
        super().__init__()
        self.cells, self.patch = patches.cells, patches.patch
        self.linear = nn.Conv2d(config.dim, channels * self.patch**2, 1)
        self.stem = nn.Conv2d(config.dim, config.width, 1)
        self.body = nn.Sequential(ResidualBlock(config.width), nn.GELU())
        self.fine = nn.Conv2d(config.width, channels * self.patch**2, 1)
        last = SphereConv(config.width, channels)
        self.smooth = nn.Sequential(SphereConv(channels, config.width), nn.GELU(), last)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(self.fine.weight)

    def forward(self, features: Tensor) -> Tensor:
        """Maps."""
        rough = self.linear(features) + self.fine(self.body(self.stem(features)))
        cells = nn.functional.pixel_shuffle(rough, self.patch)
        out: Tensor = self.cells.leave(cells + self.smooth(cells))
        return out


def build_tokenizer(config: TokenizerConfig, grid: Grid, channels: int) -> ResidualTokenizer:
    """Tokeniser of residuals of `channels` maps on `grid`.

    Raises:
        InputError: If sizes shrink, or are finer than the grid.
    """
    schedule = ScaleSchedule.of(config.sizes)

    def quantizer() -> Quantizer:
        if config.quantizer == "bitwise":
            return Bitwise(config.dim, kind="bsq")
        return ProductQuantizer(config.groups, config.codes, config.dim)

    quantizers = [quantizer() for _ in schedule]
    encoder = Encoder(grid, channels, config)
    return ResidualTokenizer(
        schedule.with_(codes=[each.size for each in quantizers]),
        SpherePyramid(config.sizes),
        quantizers,
        encoder,
        Decoder(encoder.patches, channels, config),
        truncation=config.truncation,
    )
