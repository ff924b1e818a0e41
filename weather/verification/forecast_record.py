"""The statistics of one forecast over all starts."""

import numpy as np
from numpy.typing import NDArray

from weather.verification import bootstrap
from weather.verification.statistics import Table, scores

Real = NDArray[np.float64]


class ForecastRecord:
    """Statistics by start, lead time, channel and region, and diagnostics averaged over starts.

    Args:
        verified: (I, T) whether a pair of start and lead time is verified.
        channels: C.
    """

    def __init__(self, verified: NDArray[np.bool_], channels: int) -> None:
        self.members = 0
        """The largest number of members of all pairs."""
        self.diagnostics: dict[str, Real] = {}
        """Means (T, C, R, ...) by name."""
        self._verified, self._channels = verified, channels
        self._statistics: dict[str, Real] = {}

    def put_statistics(self, start: int, lead: int, channels: slice, table: Table) -> None:
        """Put in the statistics (L, R) of some channels, for one pair of start and lead time."""
        for name, value in table.items():
            shape = (*self._verified.shape, self._channels, *value.shape[1:])
            total = self._statistics.setdefault(name, np.zeros(shape))
            total[start, lead, channels] = value

    def add_diagnostics(self, lead: int, channels: slice, table: Table) -> None:
        """Add the diagnostics (L, R, ...) of some channels and one start to their means."""
        for name, value in table.items():
            shape = (self._verified.shape[1], self._channels, *value.shape[1:])
            mean = self.diagnostics.setdefault(name, np.zeros(shape))
            mean[lead, channels] += value / self._verified[:, lead].sum()

    def scores(self, counts: Real) -> Table:
        """Scores (B, T, C, R) in resamples (B, I) of the starts."""
        mean = {
            name: bootstrap.means(counts, value, self._verified)
            for name, value in self._statistics.items()
        }
        return scores(mean)
