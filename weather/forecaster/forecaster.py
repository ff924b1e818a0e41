"""A forecast model: the mean of the next state, and a head that samples the residual about it."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from refine_core.noise import Noise
from refine_core.sampling.intermediates import AfterScale, through
from refine_core.training.data import Batch
from weather.fields.grid import Grid
from weather.forecaster.correction import Correction
from weather.forecaster.head import ResidualHead
from weather.forecaster.inputs import HeadContext, StepInput
from weather.forecaster.mean import MeanModel


class Forecaster(nn.Module):
    """One step of a forecast.

    A residual is scaled by its zonal standard deviation, and weighted by the square root of area,
    so that squared errors of heads and tokenisers are shares of variance, weighted by area.

    Args:
        mean: The network of the mean; its weights are frozen.
        head: Samples residuals.
        scale: (C, H, 1) standard deviation of the mean's error on the states it was trained on,
            normalised units.
        inflation: (C,) standard deviation of its error on other states, divided by that on these.
            Heads learn from residuals in-sample, which are too small as the mean has been fitted
            to them, and sample residuals as large as out of sample.
        lower: (C,) least normalised value that is physical, minus infinity where there is none.
        grid: The grid of the maps.
        winds: (C,) whether a channel is a component of the wind.
    """

    def __init__(
        self,
        mean: MeanModel,
        head: ResidualHead,
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
        return 1 + self.head.calls

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.mean.get_buffer("area").device

    def train(self, mode: bool = True) -> "Forecaster":
        """Training mode for all but the frozen mean."""
        super().train(mode)
        self.mean.eval()
        return self

    def weight(self, *, in_sample: bool) -> Tensor:
        """(C, H, 1) factor that makes residuals of variance one.

        Args:
            in_sample: Whether the mean was trained on the states of the residuals.
        """
        weight = self.mean.get_buffer("area").sqrt() / self.get_buffer("scale")
        return weight if in_sample else weight / self.get_buffer("inflation")

    def residual(
        self, batch: Batch, noise: Noise, *, in_sample: bool | None = None
    ) -> tuple[Tensor, HeadContext]:
        """Scaled residuals of windows `batch`, and their contexts.

        Args:
            batch: See `weather.data.windows`.
            noise: Random numbers of b samples.
            in_sample: Whether the mean was trained on these windows; by default in training only.
        """
        with torch.no_grad():
            self.mean.training = self.training  # only decides whether samples are rotated
            given, future, shift = self.mean.unpack(batch, noise)
            context = self.mean.context(given, shift)
            error = future - self.mean.predict(given, context, shift)
            in_sample = self.training if in_sample is None else in_sample
            return error * self.weight(in_sample=in_sample), context

    def forward(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        """Training losses of the head on windows `batch`."""
        losses: dict[str, Tensor] = self.head(*self.residual(batch, noise), noise)
        return losses

    def after_step(self) -> None:
        """Update the head after an optimiser step."""
        self.head.after_step()

    @torch.no_grad()
    def step(
        self,
        given: StepInput,
        noise: Noise,
        before: Tensor | None = None,
        after_scale: AfterScale[Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The next states, and the waves of their residuals for the step after it.

        Args:
            given: Input of b members, or of one sample for all of them.
            noise: Random numbers of b members.
            before: Waves that the step before this one returned; None at the first.
            after_scale: Called after each scale with the states (b, C, H, W) as they are so far.

        Returns:
            (b, C, H, W), normalised, and (b, C, H, W // 2 + 1) waves of the residual.
        """

        def corrected(drawn: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            mean, sampled = drawn
            residual, waves = self.correction.residual(sampled, before)
            state = self.correction.at_poles(self.correction.mean(mean) + residual)
            state = torch.maximum(state - self.correction.drizzle, self.get_buffer("lower"))
            return self.mean.present(state), waves

        def states(drawn: tuple[Tensor, Tensor]) -> Tensor:
            return corrected(drawn)[0]

        return corrected(self.sample(given, noise, through(after_scale, states)))

    @torch.no_grad()
    def sample(
        self,
        given: StepInput,
        noise: Noise,
        after_scale: AfterScale[tuple[Tensor, Tensor]] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The mean of the next states and residuals about it, uncorrected, (b, C, H, W).

        The same is what `after_scale` is called with after each scale.
        """
        context = self.mean.context(given)
        mean, count = self.mean.predict(given, context), len(noise.index)
        if len(mean) == 1 < count:
            context = context.expanded(count)
        weight = self.weight(in_sample=False)

        def scaled(drawn: Tensor) -> tuple[Tensor, Tensor]:
            return mean, drawn / weight

        told = through(after_scale, scaled)
        if told is None:
            return scaled(self.head.sample(context, noise))
        return scaled(self.head.sample_scales(context, noise, told))
