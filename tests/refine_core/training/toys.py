"""Small models and data that train in milliseconds."""

import torch
from torch import Tensor, nn

from refine_core.noise import Noise
from refine_core.quantizers.bitwise import Bitwise
from refine_core.training.config import Optimisation
from refine_core.training.data import Batch, Tensors
from refine_core.training.state import Module

OPT = Optimisation(epochs=4, batch=8, learning_rate=0.05, ema=0.9, save_minutes=60.0)


class Line(nn.Module):
    """Noisy linear regression with dropout, so that every kind of randomness is in play."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 1)
        self.dropout = nn.Dropout(0.1)
        self.steps: Tensor
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.stop_at: int | None = None
        self.how: type[BaseException] = KeyboardInterrupt

    def forward(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        if self.stop_at is not None and int(self.steps) == self.stop_at:
            raise self.how
        x, y = batch
        predicted = self.linear(self.dropout(x + 0.1 * noise.normal(0, 3)))
        return {"loss": (predicted - y).square().mean()}

    def after_step(self) -> None:
        self.steps += 1


def data(samples: int = 42) -> Tensors:
    x = torch.randn(samples, 3, generator=torch.Generator().manual_seed(0))
    return Tensors(x, x @ torch.tensor([[1.0], [-2.0], [0.5]]))


def line(stop_at: int | None = None, how: type[BaseException] = KeyboardInterrupt) -> Line:
    torch.manual_seed(0)
    made = Line()
    made.stop_at, made.how = stop_at, how
    return made


class Ragged(nn.Module):
    """A loss that is a mean over tokens, of which each sample has another number."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 1)

    def forward(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        x, y = batch
        valid = torch.arange(5) < 1 + 4 * (x[:, :1] > 0.5)
        error = (self.linear(x) + noise.normal(0, 5) - y).square() * valid
        return {
            "loss": error.sum() / valid.sum(),
            "samples": error.detach().sum(1).mean(),
            "count": valid.sum(),
        }


class Bits(nn.Module):
    """Codes whose loss has an entropy of the whole batch."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 4)
        self.bits = Bitwise(4, "lfq", entropy=1.0)

    def forward(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        return {"loss": self.bits(self.linear(batch[0])[:, None]).loss}


def seeded(kind: type[Module]) -> Module:
    torch.manual_seed(0)
    return kind()
