"""The statistics of one forecast: from one start, and over all starts."""

import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO

import numpy as np
from numpy.typing import NDArray

from weather.verification import bootstrap
from weather.verification.statistics import BY_SPREAD, Table, flow_scores, scores

Real = NDArray[np.float64]


@dataclass
class StartRecord:
    """Statistics and diagnostics of one forecast from one start.

    A row is a channel, or a set of channels that are scored together.

    Args:
        leads: T.
        rows: C.
        members: The largest number of members of all lead times.
        statistics: (T, C, R, ...) by name, NaN where there are none.
        diagnostics: (T, C, R, ...) by name, zero where there are none.
    """

    leads: int
    rows: int
    members: int = 0
    statistics: dict[str, Real] = field(default_factory=dict)
    diagnostics: dict[str, Real] = field(default_factory=dict)

    def put_statistics(self, lead: int, rows: slice, table: Table) -> None:
        """Put in the statistics (L, R, ...) of some rows at a lead time."""
        self._put(self.statistics, np.nan, lead, rows, table)

    def put_diagnostics(self, lead: int, rows: slice, table: Table) -> None:
        """Put in the diagnostics (L, R, ...) of some rows at a lead time."""
        self._put(self.diagnostics, 0.0, lead, rows, table)

    def _put(
        self, into: dict[str, Real], empty: float, lead: int, rows: slice, table: Table
    ) -> None:
        for name, value in table.items():
            if name not in into:
                into[name] = np.full((self.leads, self.rows, *value.shape[1:]), empty)
            into[name][lead, rows] = value


class ForecastRecord:
    """Statistics by start, lead time, row and region, and diagnostics averaged over starts.

    Statistics lie in a temporary file, so that memory does not grow with the number of starts.

    Args:
        verified: (I, T) whether a pair of start and lead time is verified.
    """

    def __init__(self, verified: NDArray[np.bool_]) -> None:
        self.members = 0
        """The largest number of members of all pairs."""
        self.diagnostics: dict[str, Real] = {}
        """Means (T, C, R, ...) by name."""
        self._verified = verified
        self._file: IO[bytes] = tempfile.TemporaryFile()
        weakref.finalize(self, self._file.close)
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._places: dict[tuple[str, int], int] = {}

    def add(self, start: int, found: StartRecord) -> None:
        """Add what was found from one start, after those before it."""
        self.members = max(self.members, found.members)
        for name, value in found.diagnostics.items():
            mean = self.diagnostics.setdefault(name, np.zeros(value.shape))
            for lead in np.flatnonzero(self._verified[start]):
                mean[lead] += value[lead] / self._verified[:, lead].sum()
        for name, value in found.statistics.items():
            self._shapes[name] = value.shape
            self._places[name, start] = self._file.seek(0, 2)
            self._file.write(np.asarray(value, np.float64).tobytes())

    def scores(self, counts: Real) -> Table:
        """Scores (B, T, C, R) in resamples (B, I) of the starts."""
        leads = slice(0, self._verified.shape[1])
        mean = {
            name: bootstrap.means(counts, self._values(name, leads), self._verified)
            for name, shape in self._shapes.items()
            if len(shape) == 3
        }
        result = scores(mean)
        if BY_SPREAD in self._shapes:
            found = [
                flow_scores(self.curve(BY_SPREAD, counts, lead)) for lead in range(leads.stop)
            ]
            result |= {name: np.stack([each[name] for each in found], 1) for name in found[0]}
        return result

    def curves(self) -> list[str]:
        """Names of the statistics that are curves."""
        return [name for name, shape in self._shapes.items() if len(shape) > 3]

    def curve(self, name: str, counts: Real, lead: int) -> Real:
        """Means (B, C, R, 3, n) of a curve at a lead time, in resamples (B, I) of the starts."""
        one = slice(lead, lead + 1)
        return bootstrap.means(counts, self._values(name, one), self._verified[:, one])[:, 0]

    def _values(self, name: str, leads: slice) -> Real:
        """A statistic (I, t, C, R, ...) at some lead times, NaN from starts without it."""
        _, *rest = self._shapes[name]
        result = np.full((len(self._verified), leads.stop - leads.start, *rest), np.nan)
        for start, into in enumerate(result):
            if (place := self._places.get((name, start))) is not None:
                self._file.seek(place + leads.start * into[0].nbytes)
                into[...] = np.frombuffer(self._file.read(into.nbytes)).reshape(into.shape)
        return result


Records = Mapping[str, StartRecord]
"""Records of one start by the name of the forecast."""
