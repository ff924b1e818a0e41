"""A forecast model: the mean of the next state, and a head that draws the residual about it."""

from collections.abc import Sequence
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from refine_core.data import Batch
from refine_core.noise import Noise
from weather.fields.grid import Grid
from weather.forecaster.correction import Correction
from weather.forecaster.mean import Given, MeanModel, Situation


class ResidualHead(Protocol):
    """Draws residuals; also an `nn.Module`."""

    calls: int

    def __call__(self, residual: Tensor, situation: Situation, noise: Noise) -> dict[str, Tensor]:
        """Training losses."""
        ...

    def draw(self, situation: Situation, noise: Noise) -> Tensor:
        """Residuals (b, C, H, W)."""
        ...


class Forecaster(nn.Module):
    """One step of a forecast.

    A residual is scaled by its zonal standard deviation, and weighted by the square root of area,
    so that squared errors of heads and tokenisers are shares of variance, weighted by area.

    Args:
        mean: Frozen here.
        head: Of residuals.
        scale: (C, H, 1) standard deviation of the mean's error on the states it was trained on,
            normalised units.
        inflation: (C,) that of its error on other states over it. Heads learn from the former,
            which a mean that has seen them fits too well, and draw the latter.
        lower: (C,) least normalised value that is physical, minus infinity where there is none.
        grid: Of the maps.
        winds: (C,) whether a channel is a component of the wind.
    """

    def __init__(
        self,
        mean: MeanModel,
        head: nn.Module,
        scale: Tensor,
        inflation: Tensor,
        lower: Tensor,
        grid: Grid,
        winds: Sequence[bool],
    ) -> None:
        super().__init__()
        self.mean = mean.requires_grad_(False)
        self.head = head
        self.register_buffer("scale", scale)
        self.register_buffer("inflation", inflation[:, None, None])
        self.register_buffer("lower", lower[:, None, None])
        self.correction = Correction(grid, winds)

    @property
    def calls(self) -> int:
        """Network calls that a step takes."""
        return 1 + self.draws.calls

    @property
    def draws(self) -> ResidualHead:
        """The head, by what it does."""
        return cast(ResidualHead, self.head)

    def train(self, mode: bool = True) -> "Forecaster":
        """Training mode for all but the frozen mean."""
        super().train(mode)
        self.mean.eval()
        return self

    def weight(self, *, seen: bool) -> Tensor:
        """(C, H, 1) what a residual is multiplied by; `seen`: of states the mean learnt from."""
        area: Tensor = self.mean.get_buffer("area")
        weight = area.sqrt() / self.get_buffer("scale")
        return weight if seen else weight / self.get_buffer("inflation")

    def residual(
        self, batch: Batch, noise: Noise, *, seen: bool | None = None
    ) -> tuple[Tensor, Situation]:
        """Scaled residuals of windows `batch`, and their situation.

        `seen` says whether the mean was trained on them; by default if this is training.
        """
        with torch.no_grad():
            self.mean.training = self.training  # only whether samples are turned
            given, future, shift = self.mean.prepare(batch, noise)
            situation = self.mean.situation(given, shift)
            error = future - self.mean.mean(given, situation)
            return error * self.weight(seen=self.training if seen is None else seen), situation

    def forward(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        """Training losses of the head on windows `batch`."""
        residual, situation = self.residual(batch, noise)
        return self.draws(residual, situation, noise)

    def after_step(self) -> None:
        """Pass it on to the head."""
        after = getattr(self.head, "after_step", None)
        if after is not None:
            after()

    @torch.no_grad()
    def step(
        self,
        given: Given,
        noise: Noise,
        climatology: Tensor,
        before: Tensor | None = None,
        number: int = 0,
    ) -> tuple[Tensor, Tensor]:
        """The next states, and what the step after it needs of this one.

        Args:
            given: May be of one sample for all members.
            noise: Of b members.
            climatology: (C, H, W) at the time of the next states, normalised.
            before: What the step before this one returned second; None at the first.
            number: Count of steps before.

        Returns:
            (b, C, H, W), normalised, and (b, C, H, W // 2 + 1) waves of the residual.
        """
        mean, drawn = self.draw(given, noise)
        residual, waves = self.correction.residual(drawn, before)
        settled = self.correction.settle(mean + residual, climatology, number)
        return torch.maximum(settled, self.get_buffer("lower")), waves

    @torch.no_grad()
    def draw(self, given: Given, noise: Noise) -> tuple[Tensor, Tensor]:
        """The mean of the next states and residuals about it, uncorrected, (b, C, H, W)."""
        situation = self.mean.situation(given)
        mean = self.mean.mean(given, situation)
        count = len(noise.index)
        if len(mean) == 1 < count:
            situation = Situation(
                *(
                    x.expand(count, *x.shape[1:])
                    for x in (situation.maps, situation.hidden, situation.clock)
                )
            )
        return mean, self.draws.draw(situation, noise) / self.weight(seen=False)
