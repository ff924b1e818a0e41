"""The tokeniser of residuals: patches of the map to codes, and back."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from refine_core.quantizers.base import Quantizer
from refine_core.quantizers.bitwise import Bitwise
from refine_core.quantizers.product import ProductQuantizer
from refine_core.residual import ResidualTokenizer
from refine_core.schedule import ScaleSchedule, per_scale
from weather.fields.channel import Channel
from weather.fields.grid import Grid
from weather.forecaster.balance import Balance
from weather.forecaster.config import TokenizerConfig
from weather.forecaster.sphere import Cells, SpherePyramid, check_even


class Patches(nn.Module):
    """Maps (b, m, H, W) to tokens (b, n, m * p * p) of p x p cells, n = size[0] * size[1]."""

    def __init__(self, grid: Grid, size: Sequence[int]) -> None:
        super().__init__()
        self.size = tuple(size)
        self.patch = max(1, round(grid.shape[1] / size[1]))
        self.cells = Cells(grid, (size[0] * self.patch, size[1] * self.patch))

    def forward(self, maps: Tensor) -> Tensor:
        """Tokens (b, n, m * p * p) of maps (b, m, H, W)."""
        cells = self.cells.enter(maps)
        return nn.functional.pixel_unshuffle(cells, self.patch).flatten(2).transpose(1, 2)


class Encoder(nn.Module):
    """Residual maps (b, C, H, W) to features (b, d, h, w): principal components of patches.

    Patches are of what `Balance` leaves. It is not trained. Trained with a commitment loss, it
    shrinks the trailing components; trained without one, it gained nothing.
    """

    def __init__(self, grid: Grid, channels: Sequence[Channel], config: TokenizerConfig) -> None:
        super().__init__()
        self.balance = Balance(channels, grid.shape[0])
        self.patches = Patches(grid, config.sizes[-1])
        self.enter = nn.Linear(len(channels) * self.patches.patch**2, config.dim, bias=False)
        self.requires_grad_(False)

    def tokens(self, maps: Tensor) -> Tensor:
        """Patches (b, n, C * p * p), balanced."""
        tokens: Tensor = self.patches(self.balance.enter(maps))
        return tokens

    def forward(self, maps: Tensor) -> Tensor:
        """Features (b, d, h, w) of residual maps (b, C, H, W)."""
        tokens: Tensor = self.enter(self.tokens(maps)).transpose(1, 2)
        features: Tensor = tokens.unflatten(2, self.patches.size)
        return features


class Decoder(nn.Module):
    """Features (b, d, h, w) to residual maps (b, C, H, W), linearly.

    Convolutions beside or after the linear layer gained nothing in 121 steps.
    """

    def __init__(self, encoder: Encoder, channels: int, config: TokenizerConfig) -> None:
        super().__init__()
        self.balance = encoder.balance
        self.cells, self.patch = encoder.patches.cells, encoder.patches.patch
        self.linear = nn.Conv2d(config.dim, channels * self.patch**2, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Residual maps (b, C, H, W) of features (b, d, h, w)."""
        maps = self.cells.leave(nn.functional.pixel_shuffle(self.linear(features), self.patch))
        return self.balance.leave(maps)


def build_tokenizer(
    config: TokenizerConfig, grid: Grid, channels: Sequence[Channel]
) -> ResidualTokenizer:
    """Tokeniser of residuals of maps `channels` on `grid`.

    Raises:
        InputError: Sizes shrink or are finer than the grid, or counts do not fit together.
    """
    for size in config.sizes:
        check_even("head.tokenizer.sizes", size)
    parts = per_scale("`parts`", config.parts, len(config.sizes))

    def quantizer() -> Quantizer:
        if config.quantizer == "bitwise":
            return Bitwise(config.dim, kind="bsq")
        return ProductQuantizer(config.groups, config.codes, config.dim)

    quantizers = [each for count in parts for each in [quantizer()] * count]
    schedule = ScaleSchedule.of(config.sizes, codes=[quantizers[0].size], parts=parts)
    encoder = Encoder(grid, channels, config)
    return ResidualTokenizer(
        schedule,
        SpherePyramid(schedule.sizes),
        quantizers,
        encoder,
        Decoder(encoder, len(channels), config),
        commitment=0.0,
    )


@torch.no_grad()
def start_from_principal_components(tokenizer: ResidualTokenizer, residuals: Tensor) -> None:
    """Make the encoder the best linear one for residuals (n, C, H, W), the decoder its inverse.

    Channels are the principal components of patches, scaled to a mean variance of one. They are
    uncorrelated, as groups of channels are sampled independently; and they are allocated to groups
    of equal volume, as all codebooks have one size (`allocate`).
    """
    encoder, decoder = cast(Encoder, tokenizer.encoder), cast(Decoder, tokenizer.decoder)
    encoder.balance.fit(residuals)
    patches = encoder.tokens(residuals).flatten(0, 1)
    values, vectors = torch.linalg.eigh(patches.T @ patches)
    count = min(vectors.shape[1], tokenizer.dim)
    leading = vectors.flip(1)[:, :count].T
    scale = (patches @ leading.T).std()
    place = allocate(values.flip(0)[:count], tokenizer.digits(0), tokenizer.dim)
    encoder.enter.weight.zero_()[place] = leading / scale
    decoder.linear.weight.zero_()[:, place, 0, 0] = leading.T * scale
    nn.init.zeros_(cast(Tensor, decoder.linear.bias))


def allocate(variance: Tensor, groups: int, dim: int) -> Tensor:
    """(n,) channel of each component, such that groups have nearly the same product of variances.

    Eigenvalue allocation of Ge et al., 2013 (Optimized Product Quantization, CVPR): each component
    in turn goes to the group, among those with room, whose product is the smallest.

    Args:
        variance: (n,), falling.
        groups: Equal, consecutive parts of the channels.
        dim: Count of channels, at least n.

    >>> allocate(torch.tensor([8.0, 4.0, 2.0, 1.0]), groups=2, dim=4).tolist()
    [0, 2, 3, 1]
    """
    size = dim // groups
    product, count, place = [0.0] * groups, [0] * groups, []
    logarithm = variance.clamp(min=1e-9 * float(variance[0])).log()
    for value in (logarithm - logarithm[-1]).tolist():
        room = [g for g in range(groups) if count[g] < size]
        best = min(room, key=lambda g: product[g])
        place.append(best * size + count[best])
        product[best] += value
        count[best] += 1
    return torch.tensor(place)
