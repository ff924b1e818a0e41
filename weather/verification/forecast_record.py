"""The statistics of one forecast over all starts."""

import numpy as np
from numpy.typing import NDArray

from weather.verification import bootstrap
from weather.verification.statistics import BY_SPREAD, Table, flow_scores, scores

Real = NDArray[np.float64]


class ForecastRecord:
    """Statistics by start, lead time, row and region, and diagnostics averaged over starts.

    A row is a channel, or a set of channels that are scored together.

    Args:
        verified: (I, T) whether a pair of start and lead time is verified.
        rows: C.
    """

    def __init__(self, verified: NDArray[np.bool_], rows: int) -> None:
        self.members = 0
        """The largest number of members of all pairs."""
        self.diagnostics: dict[str, Real] = {}
        """Means (T, C, R, ...) by name."""
        self._verified, self._rows = verified, rows
        self._statistics: dict[str, Real] = {}

    def put_statistics(self, start: int, lead: int, rows: slice, table: Table) -> None:
        """Put in the statistics (L, R, ...) of some rows, for one pair of start and lead time."""
        for name, value in table.items():
            shape = (*self._verified.shape, self._rows, *value.shape[1:])
            total = self._statistics.setdefault(name, np.full(shape, np.nan))
            total[start, lead, rows] = value

    def add_diagnostics(self, lead: int, rows: slice, table: Table) -> None:
        """Add the diagnostics (L, R, ...) of some rows and one start to their means."""
        for name, value in table.items():
            shape = (self._verified.shape[1], self._rows, *value.shape[1:])
            mean = self.diagnostics.setdefault(name, np.zeros(shape))
            mean[lead, rows] += value / self._verified[:, lead].sum()

    def scores(self, counts: Real) -> Table:
        """Scores (B, T, C, R) in resamples (B, I) of the starts."""
        mean = {
            name: bootstrap.means(counts, value, self._verified)
            for name, value in self._statistics.items()
            if value.ndim == 4
        }
        result = scores(mean)
        if BY_SPREAD in self._statistics:
            leads = range(self._verified.shape[1])
            found = [flow_scores(self.curve(BY_SPREAD, counts, lead)) for lead in leads]
            result |= {name: np.stack([each[name] for each in found], 1) for name in found[0]}
        return result

    def curves(self) -> list[str]:
        """Names of the statistics that are curves."""
        return [name for name, value in self._statistics.items() if value.ndim > 4]

    def curve(self, name: str, counts: Real, lead: int) -> Real:
        """Means (B, C, R, 3, n) of a curve at a lead time, in resamples (B, I) of the starts."""
        one = slice(lead, lead + 1)
        values, verified = self._statistics[name][:, one], self._verified[:, one]
        return bootstrap.means(counts, values, verified)[:, 0]
