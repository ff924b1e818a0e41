"""The paper's tables beside ours: each figure with its error floor and a verdict.

Rules that decide, from numbers only, whether a printed figure replicates:

value      agrees if it is within two combined standard deviations of the printed one, or 5 %
direction  of a row against the first row of its table: holds if our difference has the sign of
           the printed one, its 95 % interval (Welch's, over seeds) leaves zero out, and it exceeds
           1 % of the first row; is open if not
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from scipy.special import stdtrit

from images.experiments.experiment import Result
from images.experiments.metrics import Floors
from images.experiments.paper import TABLES, Figure, Quantity, Row, Table

REPLICATES = "replicates"
DIRECTION_ONLY = "direction holds, value does not"
OPEN = "no difference"
REVERSED = "does not replicate"
VALUE = "value agrees"
OTHER_VALUE = "value does not replicate"
UNPRINTED = "not printed"
DEFINED = "by definition"
BELOW = "; the printed value is out of reach"
"""Appended to the verdict on a printed value below its floor."""

Results = Mapping[str, Sequence[Result]]
"""Results by name of the predictor, one per seed."""


@dataclass(frozen=True)
class Stat:
    """A quantity over seeds.

    Args:
        mean: Infinite if some seed never reached the target.
        std: Sample standard deviation, 0 for a single seed.
        seeds: Count of seeds.
    """

    mean: float
    std: float
    seeds: int

    @classmethod
    def of(cls, values: Sequence[float | None]) -> "Stat":
        """Statistics of one value per seed; None stands for a target that was never reached.

        >>> Stat.of([1.0, 3.0]).mean, Stat.of([1.0, None]).mean
        (2.0, inf)
        """
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            return cls(math.inf, 0.0, len(values))
        return cls(fmean(known), stdev(known) if len(known) > 1 else 0.0, len(known))


def compare(ours: Stat, base: Stat) -> int:
    """Compare two quantities: -1 if ours is lower, 1 if higher, 0 if they cannot be told apart.

    Single seeds cannot; those of an infinite mean can.

    >>> compare(Stat(1.0, 0.1, 3), Stat(2.0, 0.1, 3)), compare(Stat(1.0, 3, 3), Stat(2.0, 3, 3))
    (-1, 0)
    """
    if math.isinf(ours.mean) or math.isinf(base.mean):
        return (ours.mean > base.mean) - (ours.mean < base.mean)
    difference = ours.mean - base.mean
    if abs(difference) <= max(_half_width(ours, base), 0.01 * abs(base.mean)):
        return 0
    return 1 if difference > 0 else -1


def _half_width(*stats: Stat) -> float:
    """Half of Welch's 95 % interval of the difference of two means."""
    if any(stat.seeds < 2 for stat in stats):
        return math.inf
    parts = [stat.std**2 / stat.seeds for stat in stats]
    if not (square := sum(parts)):
        return 0.0
    each = zip(parts, stats, strict=True)
    freedom = square**2 / sum(part**2 / (stat.seeds - 1) for part, stat in each)
    return float(stdtrit(freedom, 0.975)) * math.sqrt(square)


def agrees(ours: Stat, printed: Figure) -> bool:
    """Whether a value agrees with the printed one.

    >>> agrees(Stat(1.04, 0.0, 3), (1.0, None)), agrees(Stat(1.06, 0.0, 3), (1.0, 0.0))
    (True, False)
    """
    mean, std = printed
    spread = math.sqrt(ours.std**2 + (std or 0) ** 2)
    return abs(ours.mean - mean) <= max(2 * spread, 0.05 * abs(mean))


def judge(
    ours: Stat, printed: Figure | None, base: Stat | None, printed_base: Figure | None
) -> str:
    """Verdict on one cell of a table.

    Args:
        ours: Measured value.
        printed: Value in the paper.
        base: Measured value of the first row of the table; None if this is the first row.
        printed_base: Value of the first row in the paper.
    """
    if printed is None:
        return UNPRINTED
    if base is None or printed_base is None:
        return VALUE if agrees(ours, printed) else OTHER_VALUE
    claimed = (printed[0] > printed_base[0]) - (printed[0] < printed_base[0])
    found = compare(ours, base)
    if found == 0 and claimed != 0:
        return OPEN
    if found != claimed:
        return REVERSED
    values = agrees(ours, printed) and agrees(base, printed_base)
    return REPLICATES if values else DIRECTION_ONLY


@dataclass(frozen=True)
class Floor:
    """What is reached without training a predictor.

    Args:
        name: Name of the method.
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


def fill_tables(results: Results, floors: Floors) -> list[Cell]:
    """Every cell of Tables 1 to 4."""
    return [
        _cell(results, floors, table, row, quantity)
        for table in TABLES
        for row in table.rows
        for quantity in table.quantities
    ]


def _cell(results: Results, floors: Floors, table: Table, row: Row, quantity: Quantity) -> Cell:
    first = table.rows[0]
    ours = _measured(results, row.predictor, quantity, first.predictor)
    base = _measured(results, first.predictor, quantity, first.predictor)
    printed = row.printed.get(quantity.key)
    floor = _floor(results, floors, row, quantity)
    verdict = judge(ours, printed, None if row is first else base, first.printed.get(quantity.key))
    if row is first and quantity.key == "time":
        verdict = DEFINED
    if printed and floor and floor.bound and printed[0] < floor.value:
        verdict += BELOW
    return Cell(table.number, row.label, row.predictor, quantity, printed, ours, floor, verdict)


def _measured(results: Results, predictor: str, quantity: Quantity, first: str) -> Stat:
    """A quantity over seeds, in the units in which it is printed."""
    if quantity.key == "time":
        base = fmean(result.number("cpu_seconds") for result in results[first])
        return Stat.of([result.number("cpu_seconds") / base for result in results[predictor]])
    values = [result.values[quantity.key] for result in results[predictor]]
    return Stat.of([None if value is None else value * quantity.scale for value in values])


def _floor(results: Results, floors: Floors, row: Row, quantity: Quantity) -> Floor | None:
    """The quantity without a trained predictor; None where that means nothing."""
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
    """Name and squared error of a predictor's floor, and whether it is a bound."""
    if results[predictor][0].model == "bands":
        shifted = key == "mse_shifted"
        return "Wiener filter", floors["wiener_shifted" if shifted else "wiener"], False
    # A posterior mean is not one of the codes: only the autoencoder bounds it.
    bounding = "latent" if key == "mse_mean" else predictor
    names = {
        "latent": "autoencoder alone",
        "softmax": "nearest centroid",
        "book": "nearest centroid",
    }
    error = fmean(result.number("floor") for result in results[bounding])
    return names.get(bounding, "code of the clean latent"), error, True
