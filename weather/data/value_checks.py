"""Checks of values as they are read: missing, impossible, or in other units."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from weather.fields.arrays import Array, Times
from weather.fields.channel import Channel
from weather.fields.grid import Grid
from weather.fields.variables import VARIABLES, mean_range, value_range


class Finding(TypedDict):
    """A problem of a channel; JSON."""

    time: str
    """The first time with the problem, to the minute."""
    value: float
    """A value or mean at fault, at that time."""
    count: int
    """Times with the problem."""


Findings = dict[str, dict[str, Finding]]
"""Problems by kind, then by the place of the channel."""


class ValueScan:
    """Looks at maps one after the other, and keeps what is wrong with their values.

    Args:
        channels: C maps.
        grid: The grid of the maps.
        constant: Names of variables that may be the same everywhere.
        findings: Those of an earlier scan of the same source.
        absent: (C, H, W) bool, cells that have no values (NaN), and never may have; None of none.
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        grid: Grid,
        constant: Sequence[str] = (),
        findings: Mapping[str, dict[str, Finding]] | None = None,
        absent: NDArray[np.bool_] | None = None,
    ) -> None:
        self.channels, self.absent = channels, absent
        self.findings: Findings = {kind: dict(each) for kind, each in (findings or {}).items()}
        self._area = grid.area() / grid.area().sum()
        self._varies = np.array([c.variable not in constant for c in channels], bool)
        self.range = np.array([value_range(c.variable) for c in channels]).reshape(-1, 2)
        self.mean = np.array([mean_range(c.variable, c.level) for c in channels]).reshape(-1, 2)

    def look(self, times: Times, values: NDArray[np.float32]) -> None:
        """Look at maps (n, C, H, W) of `times` (n,)."""
        elsewhere: NDArray[np.bool_] | bool = False
        if self.absent is not None:
            elsewhere = (np.isnan(values) != self.absent).any((2, 3))
            values = _filled(values, self.absent)
        low, high = values.min((2, 3)), values.max((2, 3))
        with np.errstate(invalid="ignore", over="ignore"):
            mean = values.mean(3, dtype=np.float64) @ self._area
        finite = np.isfinite(low) & np.isfinite(high)
        outside = (low < self.range[:, 0]) | (high > self.range[:, 1])
        farthest = np.where(low < self.range[:, 0], low, high)
        flat = (low == high) & self._varies
        odd_mean = ((mean < self.mean[:, 0]) | (mean > self.mean[:, 1])) & ~flat
        self._note("missing", times, ~finite | elsewhere, low + high)
        self._note("flat", times, finite & flat, low)
        self._note("range", times, finite & outside & ~flat, farthest)
        self._note("mean", times, finite & odd_mean & ~outside, mean)

    def add(self, later: Findings) -> None:
        """Add what a scan of later maps has found."""
        for kind, findings in later.items():
            for place, new in findings.items():
                found = self.findings.setdefault(kind, {}).setdefault(place, {**new, "count": 0})
                found["count"] += new["count"]

    def _note(self, kind: str, times: Times, wrong: NDArray[np.bool_], value: Array) -> None:
        for c in np.flatnonzero(wrong.any(0)):
            first = int(wrong[:, c].argmax())
            time = str(times[first].astype("datetime64[m]"))
            new = Finding(time=time, value=float(value[first, c]), count=0)
            found = self.findings.setdefault(kind, {}).setdefault(str(c), new)
            found["count"] += int(wrong[:, c].sum())

    def problems(self) -> list[str]:
        """A sentence for each channel and kind of problem."""
        result = []
        for kind, findings in self.findings.items():
            for place, found in sorted(findings.items(), key=lambda item: int(item[0])):
                c, count = int(place), found["count"]
                where = "" if found["time"] == "NaT" else f" at {found['time']}"
                where += f" and {count - 1} later times" if count > 1 else ""
                described = self._description(kind, c, found["value"], where)
                result.append(f"{_spoken(self.channels[c])}: {described}")
        return result

    def _description(self, kind: str, c: int, value: float, where: str) -> str:
        known = VARIABLES.get(self.channels[c].variable)
        units = known.units if known else ""
        low, high = self.mean[c] if kind == "mean" else self.range[c]
        if kind == "missing" and self.absent is not None and self.absent[c].any():
            return f"missing (NaN) in other cells{where} than at the first time: fill all in"
        expected = f"expected {low:.6g} to {high:.6g} {units}: check its units"
        return {
            "missing": f"missing (NaN) or infinite values{where}: fill them in, or leave it out, "
            "or name it in `masked` if the same cells are missing at all times",
            "flat": f"the same value {value:g} everywhere{where}: a piece of the source is lost",
            "range": f"a value of {value:.6g}{where}, {expected}",
            "mean": f"a global mean of {value:.6g}{where}, {expected}",
        }[kind]


def _filled(values: NDArray[np.float32], absent: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Maps (n, C, H, W) with the mean of the other cells where values are absent (C, H, W)."""
    there = np.where(absent, 0, values)
    mean = there.sum((2, 3)) / np.maximum((~absent).sum((1, 2)), 1)
    return np.asarray(np.where(absent, mean[..., None, None], there), np.float32)


def _spoken(channel: Channel) -> str:
    """A channel in words, such as "temperature at 500 hPa"."""
    level = "" if channel.level is None else f" at {channel.level} hPa"
    return channel.variable + level
