"""Statistics of a forecast over all starts, and what the report says of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weather.fields.arrays import Array
from weather.verification import bootstrap
from weather.verification.statistics import LOWER_IS_BETTER, Table, scores

Real = NDArray[np.float64]
Tree = dict[str, Any]


class Records:
    """Statistics by start, lead time, channel and region, and histograms summed over the starts.

    Args:
        there: (I, T) whether a pair of start and lead time is verified.
        channels: C.
    """

    def __init__(self, there: NDArray[np.bool_], channels: int) -> None:
        self.members = 0
        self._there, self._channels = there, channels
        self._statistics: dict[str, Real] = {}
        self._tallies: dict[str, Real] = {}

    def put(self, start: int, lead: int, channels: slice, table: Table) -> None:
        """Keep statistics (L, R) of one forecast of some channels."""
        for name, value in table.items():
            shape = (*self._there.shape, self._channels, *value.shape[1:])
            kept = self._statistics.setdefault(name, np.zeros(shape))
            kept[start, lead, channels] = value

    def add(self, lead: int, channels: slice, table: Table) -> None:
        """Add tallies (L, R, ...) of one forecast of some channels to the mean over starts."""
        for name, value in table.items():
            shape = (self._there.shape[1], self._channels, *value.shape[1:])
            kept = self._tallies.setdefault(name, np.zeros(shape))
            kept[lead, channels] += value / self._there[:, lead].sum()

    def scores(self, counts: Real) -> Table:
        """Scores (B, T, C, R) in resamples (B, I) of the starts."""
        mean = {
            name: bootstrap.means(counts, value, self._there)
            for name, value in self._statistics.items()
        }
        return scores(mean)

    def tallies(self) -> dict[str, Real]:
        """Mean tallies (T, C, R, ...)."""
        return self._tallies


def score_trees(
    records: Mapping[str, Records], counts: Real, channels: Sequence[str], regions: Sequence[str]
) -> tuple[Tree, Tree]:
    """Scores of all forecasts, and differences between the first and each other, with intervals.

    Args:
        records: By name, the one to verify first.
        counts: (B, I) of `bootstrap.resamples`.
        channels: C names.
        regions: R names.

    Returns:
        `scores[forecast][channel][region][score]`, and the like of differences: the first minus
        the other of the same starts, and `skill`, 1 minus their ratio. The leaves hold lists over
        lead times of value, low and high.
    """
    first, found, differences = None, {}, {}
    for name, record in records.items():
        table = record.scores(counts)
        found[name] = _tree(table, channels, regions)
        if first is None:
            first = table
            continue
        shared = [n for n in table if n in LOWER_IS_BETTER or n.startswith("brier")]
        difference = {n: first[n] - table[n] for n in shared}
        skill = {n: 1 - first[n] / np.where(table[n] > 0, table[n], np.nan) for n in shared}
        differences[name] = {
            "difference": _tree(difference, channels, regions),
            "skill": _tree(skill, channels, regions),
        }
    return found, differences


def tally_tree(
    records: Mapping[str, Records], channels: Sequence[str], regions: Sequence[str]
) -> Tree:
    """`[tally][forecast][channel][region]`, lists over lead times."""
    result: Tree = {}
    for name, record in records.items():
        for kind, values in record.tallies().items():
            result.setdefault(kind, {})[name] = {
                channel: {region: plain(values[:, c, r]) for r, region in enumerate(regions)}
                for c, channel in enumerate(channels)
            }
    return result


def _tree(table: Mapping[str, Array], channels: Sequence[str], regions: Sequence[str]) -> Tree:
    """`[channel][region][score]` of scores (B, T, C, R)."""
    single = next(iter(table.values())).shape[0] == 1
    parts = {}
    for name, values in table.items():
        low, high = (None, None) if single else bootstrap.interval(values)
        parts[name] = {"value": values[0], "low": low, "high": high}
    return {
        channel: {
            region: {
                name: {
                    key: None if part is None else plain(part[:, c, r])
                    for key, part in ends.items()
                }
                for name, ends in parts.items()
            }
            for r, region in enumerate(regions)
        }
        for c, channel in enumerate(channels)
    }


def plain(values: NDArray[Any]) -> Any:
    """Lists of numbers to six digits; what is not defined is None, as JSON has no NaN."""
    if values.ndim:
        return [plain(each) for each in values]
    return float(f"{values:.6g}") if np.isfinite(values) else None
