"""The deterministic mean of the next state."""

import numpy as np
import torch
from torch import Tensor, nn

from refine_core.noise import Noise
from refine_core.training.data import Batch
from weather.fields.grid import Grid
from weather.forecaster.config import NetworkConfig
from weather.forecaster.inputs import CLOCK, HeadContext, StepInput, rotate
from weather.forecaster.network import StateNetwork

ROTATION_STREAM = -7
"""Stream of noise for the rotation of training samples."""


class MeanModel(nn.Module):
    """The deterministic mean of the next state, trained on its squared error.

    The network predicts the change over a step, in units of each channel's typical change, and of
    channels that are no part of the state, which come last, the departure from their mean. With
    `config.turned`, training rotates each sample around the globe at random, static fields with
    it: right for a planet whose laws do not depend on longitude.

    Args:
        grid: The grid of the data.
        static: (S, H, W) normalised static fields.
        change: (C,) standard deviation of the change over a step, or of what is no part of the
            state, in normalised units.
        state: Channels S of a state.
        history: Past states in the input.
        forcing: Forcing fields F.
        config: The configuration of the network.
        absent: (C + F, H, W) bool, cells where channels and forcing have no values: zero is put
            there. None if all have.
    """

    absent: Tensor | None

    def __init__(
        self,
        grid: Grid,
        static: Tensor,
        change: Tensor,
        state: int,
        history: int,
        forcing: int,
        config: NetworkConfig,
        absent: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.rotates = config.turned
        self.register_buffer("static", static)
        self.register_buffer("change", change[:, None, None])
        area = torch.from_numpy(np.asarray(grid.area())).float()
        self.register_buffer("area", area[:, None], persistent=False)
        self.register_buffer("absent", absent)
        self.inputs = history * state + forcing + len(static)
        self.network = StateNetwork(grid, self.inputs, len(change), CLOCK, config)

    def context(self, given: StepInput, shift: Tensor | None = None) -> HeadContext:
        """Run the network; `shift` (b,) is by how many columns `given` has been rotated."""
        static = self.get_buffer("static").expand(len(given.past), -1, -1, -1)
        if shift is not None:
            static = rotate(static, shift)
        known = torch.cat([given.past.flatten(1, 2), given.forcing, static], 1)
        change, hidden = self.network(known, given.clock)
        return HeadContext(torch.cat([known, change], 1), hidden, given.clock)

    def predict(
        self, given: StepInput, context: HeadContext, shift: Tensor | None = None
    ) -> Tensor:
        """(b, C, H, W) mean of the next state, normalised; `shift` as of `context`."""
        change = context.maps[:, self.inputs :] * self.get_buffer("change")
        count = given.latest.shape[1]  # channels behind these are predicted only, from zero
        mean = torch.cat([given.latest + change[:, :count], change[:, count:]], 1)
        return self.present(mean, shift)

    def present(self, states: Tensor, shift: Tensor | None = None) -> Tensor:
        """States (b, C, H, W), normalised, with zero in cells where a channel has no values."""
        if self.absent is None:
            return states
        absent = self.absent[: states.shape[1]].expand_as(states)
        absent = absent if shift is None else rotate(absent, shift)
        return states.masked_fill(absent, 0.0)

    def forward(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        """Training loss of windows `batch`, see `weather.data.windows`; area-weighted."""
        return {"loss": self.relative(self.errors(batch, noise))}

    def relative(self, error: Tensor) -> Tensor:
        """Mean square of errors (b, C, H, W), as a share of that of the change over a step."""
        scaled = (error / self.get_buffer("change")) ** 2
        return (scaled * self.get_buffer("area")).mean()

    def unpack(self, batch: Batch, noise: Noise) -> tuple[StepInput, Tensor, Tensor | None]:
        """Input of a step, the next state (b, C, H, W), and how far training rotated both."""
        past, future, forcing, clock = batch
        given, target = StepInput(past, forcing[:, 0], clock[:, 0]), future[:, 0]
        if not (self.training and self.rotates):
            return given, target, None
        shift = (noise.uniform(ROTATION_STREAM) * target.shape[-1]).long()
        return given.rotated(shift), rotate(target, shift), shift

    def errors(self, batch: Batch, noise: Noise) -> Tensor:
        """(b, C, H, W) errors of the mean in windows `batch`, normalised."""
        given, future, shift = self.unpack(batch, noise)
        return future - self.predict(given, self.context(given, shift), shift)
