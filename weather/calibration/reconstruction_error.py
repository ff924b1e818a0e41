"""The reconstruction error of the codes: no sample of codes comes closer to the truth."""

from dataclasses import dataclass

import torch
from torch import Tensor

from refine_core.app.report import Column, number, table
from refine_core.errors import InputError
from weather.data.prepared import Prepared
from weather.data.time_parts import Part
from weather.data.windows import Windows
from weather.fields.labels import readable_unit
from weather.fields.variables import VARIABLES
from weather.forecaster.refinement import RefineHead
from weather.model import WeatherModel


@dataclass(frozen=True)
class ReconstructionError:
    """Root mean square errors by channel, weighted by area, in SI units.

    Args:
        mean: (C,) of the deterministic mean of the next state.
        coded: (C,) of the mean plus the residual, encoded and decoded.
    """

    mean: Tensor
    coded: Tensor


@torch.no_grad()
def reconstruction_error(
    model: WeatherModel, data: Prepared, part: Part = "test", count: int = 1024
) -> ReconstructionError:
    """Errors of one step on at most `count` windows, spread over a part.

    Raises:
        InputError: The model samples no codes, the data do not fit it, or `count` is below 1.
    """
    if count < 1:
        raise InputError(f"Found a count of {count} windows, expected 1 or more.")
    forecaster, head = model.forecaster, model.forecaster.head
    if not isinstance(head, RefineHead):
        raise InputError(
            f"The model's head is of kind {model.config.head.kind!r}, which has no codes: give a "
            "model of kind 'refine'."
        )
    windows = Windows(model.normalising(data), part)
    index, weight = windows.evenly(count), forecaster.weight(in_sample=False)
    area = forecaster.mean.get_buffer("area")
    squares = []
    for batch, noise in windows.batches(index, forecaster.device):
        residual, _ = forecaster.residual(batch, noise, in_sample=False)
        lost = head.tokenizer.decode(head.tokenizer.encode(residual)) - residual
        both = torch.stack([residual, lost]) / weight
        squares.append((both.square() * area).mean((3, 4)).sum(1))
    error = (torch.stack(squares).sum(0) / len(index)).sqrt().cpu() * model.std
    return ReconstructionError(mean=error[0], coded=error[1])


def report(
    model: WeatherModel, error: ReconstructionError
) -> tuple[str, dict[str, dict[str, float]]]:
    """A Markdown table of the errors, and the numbers by channel."""
    numbers: dict[str, dict[str, float]] = {}
    rows: list[tuple[str, float, float, float]] = []
    for channel, mean, coded in zip(
        model.channels, error.mean.tolist(), error.coded.tolist(), strict=True
    ):
        numbers[channel.name] = {"mean": mean, "coded": coded, "share": coded / mean}
        known = VARIABLES.get(channel.variable)
        factor, unit = readable_unit(known.units if known else "")
        name = f"{channel.name} ({unit})"
        rows.append((name, factor * mean, factor * coded, coded / mean))
    columns = [
        Column("variable"),
        Column("error of the mean", form=number),
        Column("of encode-decode", form=number),
        Column("share", form=".1%"),
    ]
    return table(columns, rows) + "\n", numbers
