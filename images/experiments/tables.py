"""The paper's tables, filled: each printed figure beside ours, its floor and its verdict."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from images.experiments.floors import Floors
from images.experiments.paper import TABLES, Figure, Quantity, Row
from images.experiments.trial import Result
from images.experiments.verdict import DEFINED, Stat, judge

Results = Mapping[str, Sequence[Result]]
"""Runs by name of the predictor, one per seed."""

BELOW = "; the printed value is out of reach"


@dataclass(frozen=True)
class Floor:
    """What is reached without a predictor.

    Args:
        name: Of the method.
        value: In the units of the quantity.
        bound: Whether nothing that decodes in this way can be better.
    """

    name: str
    value: float
    bound: bool


@dataclass(frozen=True)
class Cell:
    """One quantity of one row of a table."""

    table: int
    row: str
    predictor: str
    quantity: Quantity
    printed: Figure | None
    ours: Stat
    floor: Floor | None
    verdict: str


def fill(results: Results, floors: Floors) -> list[Cell]:
    """Every cell of Tables 1 to 4."""
    cells = []
    for table in TABLES:
        first = table.rows[0]
        for row in table.rows:
            for quantity in table.quantities:
                ours = measured(results, row.predictor, quantity, first.predictor)
                base = measured(results, first.predictor, quantity, first.predictor)
                printed = row.printed.get(quantity.key)
                floor = _floor(results, floors, row, quantity)
                verdict = judge(
                    ours,
                    printed,
                    None if row is first else base,
                    first.printed.get(quantity.key),
                )
                if row is first and quantity.key == "time":
                    verdict = DEFINED
                if printed and floor and floor.bound and printed[0] < floor.value:
                    verdict += BELOW
                cells.append(
                    Cell(
                        table.number,
                        row.label,
                        row.predictor,
                        quantity,
                        printed,
                        ours,
                        floor,
                        verdict,
                    )
                )
    return cells


def measured(results: Results, predictor: str, quantity: Quantity, first: str) -> Stat:
    """A quantity over seeds, in the units in which it is shown."""
    if quantity.key == "time":
        base = fmean(run["cpu_seconds"] for run in results[first])
        return Stat.of([run["cpu_seconds"] / base for run in results[predictor]])
    values = [run[quantity.key] for run in results[predictor]]
    return Stat.of([None if value is None else value * quantity.scale for value in values])


def _floor(results: Results, floors: Floors, row: Row, quantity: Quantity) -> Floor | None:
    """What the quantity is without a predictor; None where that means nothing."""
    name, error, bound = _least_error(results, floors, row.predictor, quantity.key)
    match quantity.key:
        case "mse" | "mse_mean" | "mse_shifted":
            return Floor(name, error, bound)
        case "psnr":
            return Floor(name, -10 * math.log10(error), False)
        case "hf_psnr":
            return Floor("empty high band", floors["zero_hf_psnr"], False)
    return None


def _least_error(
    results: Results, floors: Floors, predictor: str, key: str
) -> tuple[str, float, bool]:
    """Name and squared error of the floor of a predictor, and whether it is a bound."""
    if results[predictor][0]["spec"]["model"] == "bands":
        shifted = key == "mse_shifted"
        return "Wiener filter", floors["wiener_shifted" if shifted else "wiener"], False
    # A posterior mean is not one of the codes: only the autoencoder bounds it.
    bounding = "latent" if key == "mse_mean" else predictor
    names = {
        "latent": "autoencoder alone",
        "softmax": "nearest centroid",
        "book": "nearest centroid",
    }
    error = fmean(run["floor"] for run in results[bounding])
    return names.get(bounding, "code of the clean latent"), error, True
