"""Trainings that take a given time."""

import time

import torch
from torch import Tensor, nn

from refine_core.noise import Noise
from refine_core.training.budget import MEASURED, WARMUP, Length, Pace, affordable
from refine_core.training.config import Optimisation
from refine_core.training.data import Tensors
from refine_core.training.state import Row


class Slow(nn.Module):
    """Takes a while to start, then some milliseconds a step."""

    calls = 0

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, batch: tuple[Tensor], noise: Noise) -> dict[str, Tensor]:
        time.sleep(0.2 if Slow.calls < WARMUP else 0.02)
        Slow.calls += 1
        return {"loss": (self.weight * batch[0]).square().mean()}


def judged(module: Slow) -> Row:
    time.sleep(0.05)
    return {}


def pace(within: float) -> Pace:
    Slow.calls = 0
    module = Slow()
    found = Pace.of(
        module,
        Tensors(torch.randn(9, 1)),
        Optimisation(batch=4),
        within,
        judged,
    )
    assert module.weight == 1, "the module is left as it is"
    return found


def test_the_pace_is_that_after_the_first_steps() -> None:
    found = pace(60)
    assert Slow.calls == WARMUP + MEASURED
    assert 0.02 <= found.step < 0.15 and 0.05 <= found.validation < 0.5


def test_little_time_is_not_spent_on_measuring() -> None:
    pace(1)
    assert Slow.calls == WARMUP + 1


def test_what_fits_is_never_longer_than_the_time() -> None:
    for within in (1, 30, 600, 7200):
        for count in (64, 2000, 10**6):
            for step, judging in ((0.01, 0.5), (0.5, 20.0), (0.2, 0.0)):
                found = affordable(
                    Pace(step, judging), within, count=count, batch=64, validations=10
                )
                steps = found.epochs * (found.count // 64)
                took = steps * step + min(found.epochs, found.validations) * judging
                assert took <= within + step or (steps, found.validations) == (1, 1)
    assert affordable(Pace(1.0), 10, count=5, batch=64, validations=1) == Length(1, 5, 1)
