"""Corrections of the mean and of what is drawn about it; calibration fits them.

The mean makes small waves as strong as the atmosphere does, but knows little of them; and what a
residual adds to these it carries on from step to step. So its waves are regressed (`slope`), as in
model output statistics (Glahn and Lowry, 1972).

It errs more on unseen states than on those it was trained on, which the head learns from, and its
errors last for more than a step. So sampled residuals get the power (`gain`) and the persistence
(`memory`) of errors on unseen states. What is drawn differs less from place to place along a
latitude than errors do, so it gets their size at each place (`local`), too.

Values that are cut off at zero, as of precipitation, are zero too seldom and too large on average:
`drizzle` is taken off before.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from weather.fields.grid import Grid

POLE = 89.99
"""Degrees north or south from which on a row is a pole."""


class Correction(nn.Module):
    """Corrects the residual of a step; the identity until it is fitted.

    Buffers are `local`, (C, H, W); `gain` and `memory`, (C, H, W // 2 + 1); and `first`
    (C, 1, 1), which multiplies `gain` in the first step, whose initial state is an analysis and
    not a sample. `slope` (C, H, W // 2 + 1) multiplies departures of the mean from the average
    state, `centre` (C, H, W); `drizzle` (C, H, 1) is subtracted from channels with a least value.

    Args:
        grid: The grid of the maps.
        winds: (C,) whether a channel is a component of the wind.
    """

    local: Tensor
    gain: Tensor
    first: Tensor
    memory: Tensor
    slope: Tensor
    centre: Tensor
    drizzle: Tensor
    pole_mask: Tensor

    def __init__(self, grid: Grid, winds: Sequence[bool]) -> None:
        super().__init__()
        channels, (high, wide) = len(winds), grid.shape
        shape = (channels, high, wide // 2 + 1)
        self.register_buffer("local", torch.ones(channels, high, wide))
        self.register_buffer("gain", torch.ones(shape))
        self.register_buffer("first", torch.ones(channels, 1, 1))
        self.register_buffer("memory", torch.zeros(shape))
        self.register_buffer("slope", torch.ones(shape))
        self.register_buffer("centre", torch.zeros(channels, high, wide))
        self.register_buffer("drizzle", torch.zeros(channels, high, 1))
        polar = torch.arange(wide // 2 + 1) == torch.tensor(winds, dtype=torch.int64)[:, None]
        poles = torch.from_numpy(np.abs(grid.latitude) > POLE)[:, None]
        self.has_poles = bool(poles.any())
        self.register_buffer("pole_mask", ~poles | polar[:, None], persistent=False)

    def reset(self) -> None:
        """Change nothing, as before it was fitted."""
        self.local.fill_(1)
        self.gain.fill_(1)
        self.first.fill_(1)
        self.memory.zero_()
        self.slope.fill_(1)
        self.centre.zero_()
        self.drizzle.zero_()

    def mean(self, predicted: Tensor) -> Tensor:
        """The mean of the next states (b, C, H, W), regressed."""
        waves = (1 - self.slope) * zonal_waves(predicted - self.centre)
        return predicted - from_waves(waves, predicted.shape[-1])

    def residual(self, sampled: Tensor, before: Tensor | None) -> tuple[Tensor, Tensor]:
        """Residuals (b, C, H, W) to add to the mean, and `before` of the next step.

        Args:
            sampled: (b, C, H, W) residuals from the head.
            before: (b, C, H, W // 2 + 1) waves of the last step, without `local`; or None.
        """
        now = self.gain * zonal_waves(sampled)
        if before is None:
            now = self.first * now
        else:
            now = self.memory * before + (1 - self.memory**2).sqrt() * now
        return self.local * from_waves(now, sampled.shape[-1]), now

    def at_poles(self, state: Tensor) -> Tensor:
        """States (b, C, H, W) in which a pole is one place.

        On its row scalars keep the zonal mean alone, and components of the wind, whose axes turn
        with longitude, the first wave.
        """
        if not self.has_poles:
            return state
        return from_waves(self.pole_mask * zonal_waves(state), state.shape[-1])

    def extra_repr(self) -> str:
        """Means of the buffers."""
        values = (
            (name, float(getattr(self, name).mean()))
            for name in ("slope", "gain", "first", "memory")
        )
        return ", ".join(f"{name} {value:.3g}" for name, value in values)


def zonal_waves(maps: Tensor) -> Tensor:
    """(..., W // 2 + 1) complex amplitudes of zonal waves of maps (..., W)."""
    waves: Tensor = torch.fft.rfft(maps, dim=-1)
    return waves


def from_waves(waves: Tensor, wide: int) -> Tensor:
    """Maps (..., wide) of the amplitudes of their zonal waves."""
    maps: Tensor = torch.fft.irfft(waves, n=wide, dim=-1)
    return maps


def smooth(field: Tensor) -> Tensor:
    """Average a field by latitude and wavenumber (..., H, M) over nearby latitudes and waves.

    Waves up to half an octave away count, weighted by their distance.

    >>> [round(value, 2) for value in smooth(torch.arange(8.0)[None])[0].tolist()]
    [0.0, 1.0, 2.0, 3.15, 4.12, 5.09, 6.04, 6.61]
    """
    octave = torch.arange(field.shape[-1], device=field.device).clamp_min(1).log2()
    octave[0] = -1.0  # the zonal mean is not averaged with waves
    weight = (1 - 2 * (octave[:, None] - octave).abs()).clamp_min(0).to(field)
    return _by_latitude(field @ (weight / weight.sum(1, keepdim=True)).T)


def local_ratio(square: Tensor, reference: Tensor) -> Tensor:
    """Root of the ratio of two mean squares (..., H, W), each as a share of its latitude's mean.

    It is smoothed over neighbouring places, of which a few hundred windows tell too little each,
    and at most 4.
    """
    shares = (x / x.mean(-1, keepdim=True).clamp_min(1e-12) for x in (square, reference))
    log, base = (share.clamp_min(1e-3).log() for share in shares)
    ratio = log - base
    ratio = (ratio.roll(1, -1) + 2 * ratio + ratio.roll(-1, -1)) / 4
    return _by_latitude(ratio).div(2).exp().clamp(max=4.0)


def log_power_ratio(power: Tensor, reference: Tensor) -> Tensor:
    """Smoothed logarithm (..., H, M) of the ratio of two powers, as both fall steeply by wave."""
    return smooth(power.clamp_min(1e-12).log() - reference.clamp_min(1e-12).log())


def drizzle(made: Tensor, truth: Tensor, least: Tensor) -> Tensor:
    """What to subtract, (C, H, 1), so that as many of some values are at the least as of others.

    Args:
        made: (n, C, H, W), which are cut off afterwards.
        truth: (n, C, H, W).
        least: (C, 1, 1), minus infinity where there is none.

    >>> made, truth = torch.tensor([-1.0, 1.0, 2.0, 3.0]), torch.tensor([0.0, 0.0, 1.0, 2.0])
    >>> drizzle(made[:, None, None, None], truth[:, None, None, None], torch.zeros(1, 1, 1)).item()
    1.0
    """
    rows = (x.movedim(0, -1).flatten(2) for x in (made, truth))  # (C, H, n W)
    made, truth = (row.sort(-1).values for row in rows)
    dry = (truth <= least + 1e-3).sum(-1, keepdim=True)
    taken = made.gather(-1, (dry - 1).clamp_min(0)) - least
    return torch.where((dry > 0) & least.isfinite(), taken, 0).clamp_min(0)


def slopes(product: Tensor, power: Tensor) -> Tensor:
    """Slopes (..., H, M) of a regression by latitude and wave, with their neighbours; 0 to 1.

    Args:
        product: Sums of the products of the departures of both.
        power: Sums of squares of what is regressed on.
    """
    around = (torch.cat([x[..., :1], x, x[..., -1:]], -1) for x in (product, power))
    above, below = (_by_latitude(x[..., :-2] + 2 * x[..., 1:-1] + x[..., 2:]) for x in around)
    return (above / below.clamp_min(1e-12)).clamp(0.0, 1.0)


def _by_latitude(field: Tensor) -> Tensor:
    """Average (..., H, M) over neighbouring latitudes."""
    around = torch.cat([field[..., :1, :], field, field[..., -1:, :]], -2)
    return (around[..., :-2, :] + 2 * field + around[..., 2:, :]) / 4
