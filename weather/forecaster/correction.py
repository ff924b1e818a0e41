"""What calibration corrects at every step, by channel, latitude and zonal wavenumber.

A network that has seen three years of weather is too sure of them, and its errors are not as its
residuals were: they are larger in the large waves and smaller elsewhere, they last for more than a
step, and rolled out, its states leave the climate. So drawn residuals get the power (`gain`) and
the memory (`memory`) of the errors on states not seen, and departures from climatology fade
(`keep`) such that members vary as much as the atmosphere does. They fade as they become unknown:
hardly at the first step, from an analysis, but ever more (`pace`) until nothing is left of it.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from weather.fields.climatology import TERMS, design
from weather.fields.grid import Grid

POLE = 89.99
"""Degrees north or south from which on a row is a pole."""


class Correction(nn.Module):
    """Filters of a step; the identity until they are fitted, see `weather.calibration.search`.

    Buffers are `gain`, `memory`, `keep` and `pace`, (C, H, W // 2 + 1); `first` (C, 1, 1), what
    `gain` is multiplied by in the first step, which starts from an analysis and not from a state
    drawn; and `climate`, (7, C, H, W), the normalised coefficients of a climatology.

    A pole is one place: on its row scalars keep the zonal mean alone, and components of the wind,
    whose axes turn with longitude, the first wave.

    Args:
        grid: Of the maps.
        winds: (C,) whether a channel is a component of the wind.
    """

    gain: Tensor
    first: Tensor
    memory: Tensor
    keep: Tensor
    pace: Tensor
    climate: Tensor
    whole: Tensor

    def __init__(self, grid: Grid, winds: Sequence[bool]) -> None:
        super().__init__()
        channels, (high, wide) = len(winds), grid.shape
        shape = (channels, high, wide // 2 + 1)
        self.register_buffer("gain", torch.ones(shape))
        self.register_buffer("first", torch.ones(channels, 1, 1))
        self.register_buffer("memory", torch.zeros(shape))
        self.register_buffer("keep", torch.ones(shape))
        self.register_buffer("pace", torch.ones(shape))
        self.register_buffer("climate", torch.zeros(TERMS[-1], channels, high, wide))
        alone = torch.arange(wide // 2 + 1) == torch.tensor(winds, dtype=torch.int64)[:, None]
        poles = torch.from_numpy(np.abs(grid.latitude) > POLE)[:, None]
        self.register_buffer("whole", ~poles | alone[:, None], persistent=False)

    def residual(self, drawn: Tensor, before: Tensor | None) -> tuple[Tensor, Tensor]:
        """Residuals (b, C, H, W) to add, and their waves: `before` of the next step.

        Args:
            drawn: (b, C, H, W) residuals of the head.
            before: (b, C, H, W // 2 + 1) waves of the last step; None at the first.
        """
        now = self.gain * waves(drawn)
        if before is None:
            now = self.first * now
        else:
            now = self.memory * before + (1 - self.memory**2).sqrt() * now
        return maps(now, drawn.shape[-1]), now

    def climatology(self, times: NDArray[np.datetime64]) -> Tensor:
        """(T, C, H, W) normalised climatology at `times`."""
        basis = torch.from_numpy(design(times, len(self.climate))).to(self.climate)
        return torch.einsum("tk,kchw->tchw", basis, self.climate)

    def settle(self, state: Tensor, climatology: Tensor, number: int) -> Tensor:
        """States (b, C, H, W) with their departures from `climatology` (C, H, W) reduced.

        They are by `keep` where nothing is known of them any more, and by a power of it before:
        of the state that the step began with, `number` steps after an analysis, `pace` times
        `number` is unknown; of what the mean makes of it, the square of `pace` more, which is the
        share of variance that it errs by.
        """
        unknown = (self.pace * number + self.pace.square()).clamp(max=1)
        kept = self.whole * self.keep**unknown
        return climatology + maps(kept * waves(state - climatology), state.shape[-1])

    def extra_repr(self) -> str:
        """Mean factors."""
        values = (
            (name, float(getattr(self, name).mean()))
            for name in ("gain", "first", "memory", "keep", "pace")
        )
        return ", ".join(f"{name} {value:.3g}" for name, value in values)


def waves(maps: Tensor) -> Tensor:
    """(..., W // 2 + 1) complex amplitudes of zonal waves of maps (..., W)."""
    found: Tensor = torch.fft.rfft(maps, dim=-1)
    return found


def maps(waves: Tensor, wide: int) -> Tensor:
    """The inverse of `waves`."""
    found: Tensor = torch.fft.irfft(waves, n=wide, dim=-1)
    return found


def smooth(field: Tensor) -> Tensor:
    """A field by latitude and wavenumber (..., H, M), averaged over near latitudes and waves.

    Waves up to half an octave away count, by their distance.

    >>> [round(value, 2) for value in smooth(torch.arange(8.0)[None])[0].tolist()]
    [0.0, 1.0, 2.0, 3.15, 4.12, 5.09, 6.04, 6.61]
    """
    octave = torch.arange(field.shape[-1]).clamp_min(1).log2()
    octave[0] = -1.0  # the zonal mean is alone
    weight = (1 - 2 * (octave[:, None] - octave).abs()).clamp_min(0).to(field)
    waves = field @ (weight / weight.sum(1, keepdim=True)).T
    around = torch.cat([waves[..., :1, :], waves, waves[..., -1:, :]], -2)
    return (around[..., :-2, :] + 2 * waves + around[..., 2:, :]) / 4


def excess(power: Tensor, usual: Tensor) -> Tensor:
    """Smoothed logarithm (..., H, M) of a power over the usual one: both fall steeply by wave."""
    return smooth(power.clamp_min(1e-12).log() - usual.clamp_min(1e-12).log())
