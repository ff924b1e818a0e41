"""What calibration corrects at every step, by channel, latitude and zonal wavenumber.

A network that has seen three years of weather is too sure of them, and its errors are not as its
residuals were: they are larger in the large waves and smaller elsewhere, they last for more than a
step, and rolled out, its states leave the climate. So drawn residuals get the power (`gain`) and
the memory (`memory`) of the errors on states not seen, and departures from climatology fade
(`keep`) such that members vary as much as the atmosphere does.
"""

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from weather.climatology import TERMS, design
from weather.grid import Grid


class Correction(nn.Module):
    """Filters of a step; the identity until they are fitted, see `weather.calibrate`.

    Buffers are `gain`, `memory` and `keep`, (C, H, W // 2 + 1), and `climate`, (7, C, H, W), the
    normalised coefficients of a climatology.

    Args:
        grid: Of the maps.
        channels: C.
    """

    gain: Tensor
    memory: Tensor
    keep: Tensor
    climate: Tensor

    def __init__(self, grid: Grid, channels: int) -> None:
        super().__init__()
        high, wide = grid.shape
        shape = (channels, high, wide // 2 + 1)
        self.register_buffer("gain", torch.ones(shape))
        self.register_buffer("memory", torch.zeros(shape))
        self.register_buffer("keep", torch.ones(shape))
        self.register_buffer("climate", torch.zeros(TERMS[-1], channels, high, wide))

    def residual(self, drawn: Tensor, before: Tensor | None) -> tuple[Tensor, Tensor]:
        """Residuals (b, C, H, W) to add, and their waves: `before` of the next step.

        Args:
            drawn: (b, C, H, W) residuals of the head.
            before: (b, C, H, W // 2 + 1) waves of the last step; None at the first.
        """
        now = self.gain * waves(drawn)
        if before is not None:
            now = self.memory * before + (1 - self.memory**2).sqrt() * now
        return maps(now, drawn.shape[-1]), now

    def climatology(self, times: NDArray[np.datetime64]) -> Tensor:
        """(T, C, H, W) normalised climatology at `times`."""
        basis = torch.from_numpy(design(times, len(self.climate))).to(self.climate)
        return torch.einsum("tk,kchw->tchw", basis, self.climate)

    def settle(self, state: Tensor, climatology: Tensor) -> Tensor:
        """States (b, C, H, W) with their departures from `climatology` (C, H, W) reduced."""
        departure = maps(self.keep * waves(state - climatology), state.shape[-1])
        return climatology + departure

    def extra_repr(self) -> str:
        """Mean factors."""
        values = ((name, float(getattr(self, name).mean())) for name in ("gain", "memory", "keep"))
        return ", ".join(f"{name} {value:.3g}" for name, value in values)


def waves(maps: Tensor) -> Tensor:
    """(..., W // 2 + 1) complex amplitudes of zonal waves of maps (..., W)."""
    found: Tensor = torch.fft.rfft(maps, dim=-1)
    return found


def maps(waves: Tensor, wide: int) -> Tensor:
    """The inverse of `waves`."""
    found: Tensor = torch.fft.irfft(waves, n=wide, dim=-1)
    return found


def smooth(power: Tensor) -> Tensor:
    """Power by latitude and wavenumber (..., H, M), averaged over half octaves and near latitudes.

    >>> smooth(torch.arange(8.0)[None]).tolist()
    [[0.0, 1.0, 2.0, 3.0, 4.5, 4.5, 6.5, 6.5]]
    """
    count = power.shape[-1]
    halves = {round(2 ** (k / 2)) for k in range(2 * count.bit_length())}
    edges = [0, *sorted(edge for edge in halves if edge < count), count]
    parts = []
    for first, end in pairwise(edges):
        part = power[..., first:end]
        parts.append(part.mean(-1, keepdim=True).expand_as(part))
    bands = torch.cat(parts, -1)
    around = torch.cat([bands[..., :1, :], bands, bands[..., -1:, :]], -2)
    return (around[..., :-2, :] + 2 * bands + around[..., 2:, :]) / 4
