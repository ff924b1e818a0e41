"""All that was found, gathered for the report."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from images.experiments.conditions import Outcome
from images.experiments.floors import Floors
from images.experiments.paper import TABLES
from images.experiments.tables import Cell, Results


@dataclass(frozen=True)
class Evidence:
    """All that was found.

    Args:
        train: Number of training images.
        test: Number of test images.
        results: Runs behind the tables.
        floors: See `floors.floors`.
        cells: Of the tables.
        outcomes: Of the sweeps.
        course: Runs followed epoch by epoch, by name of the predictor; none without sweeps.
    """

    train: int
    test: int
    results: Results
    floors: Floors
    cells: Sequence[Cell]
    outcomes: Sequence[Outcome]
    course: Results

    def mean(self, predictor: str, key: str) -> float:
        """Mean over seeds, infinite where one never got there."""
        values = [run[key] for run in self.results[predictor]]
        return math.inf if None in values else fmean(values)

    def band_error(self, predictor: str) -> float:
        """Squared error in the high band."""
        return float(10 ** (-self.mean(predictor, "hf_psnr") / 10))


PRINTED = {
    row.label: {key: figure[0] for key, figure in row.printed.items()}
    for table in TABLES
    for row in table.rows
}
