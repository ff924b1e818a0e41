"""What a step is told, and the deterministic mean of the next state."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from refine_core.data import Batch
from refine_core.noise import Noise
from weather.fields.grid import Grid
from weather.forecaster.config import NetworkConfig
from weather.forecaster.network import StateNetwork

CLOCK = 4  # sines and cosines of the time of day and of the year


@dataclass(frozen=True)
class Given:
    """What a step is told; maps are normalised.

    Args:
        past: (b, history, C, H, W), the latest state last.
        forcing: (b, F, H, W) at the time of the next state.
        clock: (b, 4), see `weather.fields.climatology.clock`.
    """

    past: Tensor
    forcing: Tensor
    clock: Tensor

    @property
    def latest(self) -> Tensor:
        """(b, C, H, W)."""
        return self.past[:, -1]

    def rolled(self, shift: Tensor) -> "Given":
        """Turned around the globe by `shift` (b,) columns."""
        return replace(self, past=turn(self.past, shift), forcing=turn(self.forcing, shift))


@dataclass(frozen=True)
class Situation:
    """What a head is told: everything known about the next state.

    Args:
        maps: (b, M, H, W): past states, forcing, static fields and the mean's change.
        hidden: (b, n, d) hidden states of the mean's transformer.
        clock: (b, 4).
    """

    maps: Tensor
    hidden: Tensor
    clock: Tensor


class MeanModel(nn.Module):
    """The deterministic mean of the next state, trained on its squared error.

    The network predicts the change over a step, in units of each channel's typical change.

    Args:
        grid: Of the data.
        static: (S, H, W) normalised static fields.
        change: (C,) standard deviation of the change over a step, in normalised units.
        history: States seen.
        forcing: Forcing fields F.
        config: Of the network.
        turned: Whether training turns each sample around the globe at random, static fields
            with it: right for a planet whose laws do not depend on longitude.
    """

    def __init__(
        self,
        grid: Grid,
        static: Tensor,
        change: Tensor,
        history: int,
        forcing: int,
        config: NetworkConfig,
    ) -> None:
        super().__init__()
        self.turned = config.turned
        self.register_buffer("static", static)
        self.register_buffer("change", change[:, None, None])
        area = torch.from_numpy(np.asarray(grid.area())).float()
        self.register_buffer("area", area[:, None], persistent=False)
        self.inputs = history * len(change) + forcing + len(static)
        self.network = StateNetwork(grid, self.inputs, len(change), CLOCK, config)

    def situation(self, given: Given, shift: Tensor | None = None) -> Situation:
        """Run the network; `shift` (b,) is by how many columns `given` has been turned."""
        static = self.get_buffer("static").expand(len(given.past), -1, -1, -1)
        if shift is not None:
            static = turn(static, shift)
        known = torch.cat([given.past.flatten(1, 2), given.forcing, static], 1)
        change, hidden = self.network(known, given.clock)
        return Situation(torch.cat([known, change], 1), hidden, given.clock)

    def mean(self, given: Given, situation: Situation) -> Tensor:
        """(b, C, H, W) mean of the next state, normalised."""
        change = situation.maps[:, self.inputs :] * self.get_buffer("change")
        return given.latest + change

    def forward(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        """Training loss of windows `batch`, see `weather.data.windows`; area-weighted."""
        given, future, shift = self.prepare(batch, noise)
        error = future - self.mean(given, self.situation(given, shift))
        scaled = (error / self.get_buffer("change")) ** 2
        return {"loss": (scaled * self.get_buffer("area")).mean()}

    def prepare(self, batch: Batch, noise: Noise) -> tuple[Given, Tensor, Tensor | None]:
        """What a training step is told, the next state (b, C, H, W), and how far both turned."""
        past, future, forcing, clock = batch
        given, target = Given(past, forcing[:, 0], clock[:, 0]), future[:, 0]
        if not (self.training and self.turned):
            return given, target, None
        shift = (noise.uniform(-7) * target.shape[-1]).long()
        return given.rolled(shift), turn(target, shift), shift


def turn(maps: Tensor, shift: Tensor) -> Tensor:
    """Maps (b, ..., W) rolled by `shift` (b,) columns to the east.

    >>> turn(torch.tensor([[1, 2, 3], [1, 2, 3]]), torch.tensor([0, 1])).tolist()
    [[1, 2, 3], [3, 1, 2]]
    """
    wide = maps.shape[-1]
    column = (torch.arange(wide, device=maps.device) - shift[:, None]) % wide
    column = column.reshape(len(maps), *[1] * (maps.ndim - 2), wide)
    return maps.gather(-1, column.expand_as(maps))
