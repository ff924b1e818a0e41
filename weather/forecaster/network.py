"""The backbone: from maps to maps, by a transformer over coarse tokens between convolutions.

The deterministic mean and each head are this network with other inputs, so that comparisons
between heads compare methods.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refine_core.tokens import Tokens
from refine_core.transformer import Transformer
from weather.fields.grid import Grid
from weather.forecaster.config import NetworkConfig
from weather.forecaster.sphere import Cells, SphereConv, check_even


class StateNetwork(nn.Module):
    """Maps (b, inputs, H, W) and a condition (b, c) to maps (b, outputs, H, W).

    A convolution; patches of p x p of its cells as tokens; a transformer; its patches as maps,
    beside those of the convolution; two more convolutions, of which the last starts at zero.

    Args:
        grid: The grid of the data.
        inputs: Input channels; sines and cosines of latitude and longitude are added.
        outputs: Output channels.
        condition: Width c of the condition.
        config: Sizes.

    Raises:
        InputError: The tokens' grid is finer than the data's, or its cells are odd in number
            around the globe.
    """

    def __init__(
        self, grid: Grid, inputs: int, outputs: int, condition: int, config: NetworkConfig
    ) -> None:
        super().__init__()
        high, across = config.grid
        check_even("grid", config.grid)
        self.patch = max(1, round(grid.shape[1] / across))
        self.cells = Cells(grid, (high * self.patch, across * self.patch))
        self.register_buffer("position_maps", _position_maps(self.cells.size), persistent=False)
        self.stem = SphereConv(inputs + 4, config.width)
        self.patches = nn.Linear(config.width * self.patch**2, config.dim)
        self.position = nn.Parameter(0.02 * torch.randn(high * across, config.dim))
        wide = max(1, config.dim // 4)
        self.condition = nn.Sequential(
            nn.Linear(condition, wide), nn.SiLU(), nn.Linear(wide, wide)
        )
        self.transformer = Transformer(
            config.dim,
            config.depth,
            config.heads,
            levels=1,
            condition=wide,
            dropout=config.dropout,
        )
        self.unpatch = nn.Linear(config.dim, config.width * self.patch**2)
        self.mix = SphereConv(2 * config.width, config.width)
        self.leave = SphereConv(config.width, outputs)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)  # type: ignore[arg-type]

    def forward(self, maps: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Output maps, and the transformer's hidden states (b, h * w, dim)."""
        x = self.cells.enter(maps)
        where = self.get_buffer("position_maps").expand(len(x), -1, -1, -1)
        stem = F.gelu(self.stem(torch.cat([x, where], 1)))
        tokens = self.patches(F.pixel_unshuffle(stem, self.patch).flatten(2).transpose(1, 2))
        level = torch.zeros(tokens.shape[1], dtype=torch.int64, device=tokens.device)
        given = Tokens(tokens + self.position, level, condition=self.condition(condition))
        hidden = self.transformer(given)
        high, wide = self.cells.size[0] // self.patch, self.cells.size[1] // self.patch
        back = self.unpatch(hidden).transpose(1, 2).unflatten(2, (high, wide))
        fine = torch.cat([stem, F.pixel_shuffle(back, self.patch)], 1)
        out = self.leave(F.gelu(self.mix(fine)))
        return self.cells.leave(out), hidden


def fourier(x: Tensor, width: int) -> Tensor:
    """(b, width) sines and cosines of numbers (b,) around 1, at frequencies up to 100."""
    frequency = torch.logspace(-1, 2, width // 2, device=x.device)
    angle = x[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], 1)


def _position_maps(size: tuple[int, ...]) -> Tensor:
    """(4, h, w) sine and cosine of the latitude and longitude of each cell."""
    high, wide = size
    latitude = (((torch.arange(high) + 0.5) / high - 0.5) * math.pi)[:, None].expand(high, wide)
    longitude = (((torch.arange(wide) + 0.5) / wide) * 2 * math.pi)[None, :].expand(high, wide)
    return torch.stack([latitude.sin(), latitude.cos(), longitude.sin(), longitude.cos()])
