"""Looking at values as they are read: what is missing, impossible, or in other units."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weather.fields.channel import Channel
from weather.fields.grid import Grid
from weather.fields.variables import VARIABLES, mean_range, value_range

Found = dict[str, list[Any]]


class Scan:
    """Remembers, for each channel and kind of problem, the first time, a value and the count.

    Args:
        channels: C maps.
        grid: Of the maps.
        constant: Names of variables that may be the same everywhere.
        found: What an earlier scan of the same source had found.
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        grid: Grid,
        constant: Sequence[str] = (),
        found: Mapping[str, Found] | None = None,
    ) -> None:
        self.channels = channels
        self.found: dict[str, Found] = {kind: dict(each) for kind, each in (found or {}).items()}
        self._area = grid.area() / grid.area().sum()
        self._varies = np.array([c.variable not in constant for c in channels], bool)
        self.range = np.array([value_range(c.variable) for c in channels]).reshape(-1, 2)
        self.mean = np.array([mean_range(c.variable, c.level) for c in channels]).reshape(-1, 2)

    def look(self, times: NDArray[np.datetime64], values: NDArray[np.float32]) -> None:
        """Look at maps (n, C, H, W) of `times` (n,)."""
        low, high = values.min((2, 3)), values.max((2, 3))
        with np.errstate(invalid="ignore", over="ignore"):
            mean = values.mean(3, dtype=np.float64) @ self._area
        whole = np.isfinite(low) & np.isfinite(high)
        outside = (low < self.range[:, 0]) | (high > self.range[:, 1])
        far = np.where(low < self.range[:, 0], low, high)
        flat = (low == high) & self._varies
        strange = ((mean < self.mean[:, 0]) | (mean > self.mean[:, 1])) & ~flat
        self._note("missing", times, ~whole, low + high)
        self._note("flat", times, whole & flat, low)
        self._note("range", times, whole & outside & ~flat, far)
        self._note("mean", times, whole & strange & ~outside, mean)

    def _note(
        self, kind: str, times: NDArray[np.datetime64], wrong: NDArray[np.bool_], value: Any
    ) -> None:
        for c in np.flatnonzero(wrong.any(0)):
            first = int(wrong[:, c].argmax())
            start = [str(times[first].astype("datetime64[m]")), float(value[first, c]), 0]
            entry = self.found.setdefault(kind, {}).setdefault(str(c), start)
            entry[2] += int(wrong[:, c].sum())

    def problems(self) -> list[str]:
        """A sentence for each channel and kind of problem."""
        result = []
        for kind, entries in self.found.items():
            for place, (time, value, count) in sorted(entries.items(), key=lambda e: int(e[0])):
                c = int(place)
                channel = self.channels[c]
                where = "" if time == "NaT" else f" at {time}"
                where += f" and {count - 1} later times" if count > 1 else ""
                result.append(f"{_spoken(channel)}: {self._said(kind, c, value, where)}")
        return result

    def _said(self, kind: str, c: int, value: float, where: str) -> str:
        known = VARIABLES.get(self.channels[c].variable)
        units = known.units if known else ""
        low, high = self.mean[c] if kind == "mean" else self.range[c]
        expected = f"expected {low:.6g} to {high:.6g} {units}: check its units"
        return {
            "missing": f"missing (NaN) or infinite values{where}: fill them in, or leave it out",
            "flat": f"the same value {value:g} everywhere{where}: a piece of the source is lost",
            "range": f"a value of {value:.6g}{where}, {expected}",
            "mean": f"a global mean of {value:.6g}{where}, {expected}",
        }[kind]


def _spoken(channel: Channel) -> str:
    """A channel as a person calls it."""
    level = "" if channel.level is None else f" at {channel.level} hPa"
    return channel.variable + level
