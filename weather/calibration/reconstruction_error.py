"""What the codes lose: no sampler of codes comes closer to the truth than encode-decode."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.residual import ResidualTokenizer
from weather.data.prepared import Prepared
from weather.data.time_parts import Part
from weather.data.windows import Windows
from weather.fields.labels import format_number, readable_unit
from weather.fields.variables import VARIABLES
from weather.forecaster.refinement import RefineHead
from weather.model import WeatherModel


@dataclass(frozen=True)
class Floor:
    """Root mean square errors by channel, weighted by area, in SI units.

    Args:
        mean: (C,) of the deterministic mean of the next state.
        coded: (C,) of the mean plus the residual, encoded and decoded.
    """

    mean: Tensor
    coded: Tensor

    @property
    def share(self) -> Tensor:
        """(C,) of the error of the mean that the codes lose."""
        return self.coded / self.mean


@torch.no_grad()
def measure_floor(
    model: WeatherModel, data: Prepared, part: Part = "test", count: int = 512
) -> Floor:
    """Errors of one step on at most `count` windows, spread over a part.

    Raises:
        InputError: The model draws no codes, or there is nothing to measure.
    """
    if count < 1:
        raise InputError(f"Found a count of {count} windows, expected 1 or more.")
    head = model.forecaster.head
    if not isinstance(head, RefineHead):
        raise InputError(
            f"The model's head is of kind {model.config.head.kind!r}, which has no codes: give a "
            "model of kind 'refine'."
        )
    tokenizer = cast(ResidualTokenizer, head.refiner.tokenizer)
    windows = Windows(data, part)
    index = torch.arange(0, len(windows), max(1, len(windows) // count))
    weight = model.forecaster.weight(seen=False)
    area = model.forecaster.mean.get_buffer("area")
    mean, coded = torch.zeros(()), torch.zeros(())
    for batch in index.split(64):
        residual, _ = model.forecaster.residual(windows[batch], Noise(0, batch), seen=False)
        lost = tokenizer.decode(tokenizer.encode(residual)) - residual
        mean = mean + ((residual / weight).square() * area).mean((2, 3)).sum(0)
        coded = coded + ((lost / weight).square() * area).mean((2, 3)).sum(0)
    return Floor(*((x / len(index)).sqrt() * model.std for x in (mean, coded)))


def described(model: WeatherModel, floor: Floor) -> tuple[str, dict[str, dict[str, float]]]:
    """A Markdown table of the errors, and the numbers by channel."""
    numbers: dict[str, dict[str, float]] = {}
    lines = ["| variable | error of the mean | of encode-decode | share |", "|---|---|---|---|"]
    rows = zip(model.channels, floor.mean.tolist(), floor.coded.tolist(), strict=True)
    for channel, mean, coded in rows:
        numbers[channel.name] = {"mean": mean, "coded": coded, "share": coded / mean}
        known = VARIABLES.get(channel.variable)
        factor, unit = readable_unit(known.units if known else "")
        errors = " | ".join(format_number(factor * error) for error in (mean, coded))
        lines.append(f"| {channel.name} ({unit}) | {errors} | {coded / mean:.1%} |")
    return "\n".join(lines) + "\n", numbers
