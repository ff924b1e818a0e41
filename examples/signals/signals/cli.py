"""The command `refine signals`."""

from pathlib import Path
from typing import Literal

import refine_core as rc
from refine_core.config.ranges import PositiveInt
from signals import model as signals


def main(argv: list[str]) -> None:
    """Run `refine signals`."""
    rc.commands("refine signals", {"train": train, "sample": sample, "score": score}, argv)


@rc.trains
def train(config: signals.SignalsConfig) -> None:
    """Train a model; goes on where it was stopped."""
    signals.train(config)
    print(f"model: runs/{config.name}/model.safetensors")


def sample(
    model: Path, label: Literal["sine", "square", "saw"], count: PositiveInt = 4, seed: int = 0
) -> None:
    """Sample signals of a class, one a line."""
    drawn = signals.load(model).sample(count, signals.CLASSES.index(label), seed)
    for row in drawn[:, 0].tolist():
        print(*(f"{value:.2f}" for value in row))


def score(model: Path, count: PositiveInt = 100, seed: int = 1) -> None:
    """Mean log-probability of new signals' codes, given their classes."""
    nats = signals.load(model).log_prob(*signals.waves(count, seed))
    print(f"{nats.mean():.2f} nats, over {count} signals")
