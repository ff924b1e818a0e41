"""One channel of a forecast from one initial time, and the truth: what pictures are made of."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from refine_core.errors import InputError
from weather.fields.arrays import Array, Leads
from weather.fields.channel import Channel
from weather.fields.grid import Grid
from weather.io.canonical import LEAD, grid_of
from weather.io.compatibility import check_size
from weather.io.files import read_errors
from weather.io.values import map_values, read_members
from weather.metrics.ensemble import variance
from weather.plots.display import Display


@dataclass(frozen=True, eq=False)
class ForecastField:
    """One channel of a forecast from one initial time; methods return the units of the picture.

    Args:
        channel: Which.
        display: Its name, units and colours.
        source: Name of the file.
        start: The initial time.
        forecast: Values in the file's units, with the dimensions number, prediction_timedelta,
            [level], latitude and longitude.
        truth: (time, [level], latitude, longitude) in the same units; None if it is not known.
    """

    channel: Channel
    display: Display
    source: str
    start: np.datetime64
    forecast: xr.DataArray
    truth: xr.DataArray | None

    @property
    def grid(self) -> Grid:
        """The grid of the maps."""
        return grid_of(self.forecast.to_dataset(name="field"))

    @property
    def leads(self) -> Leads:
        """All lead times."""
        return np.asarray(self.forecast[LEAD].values)

    @property
    def member_names(self) -> list[str]:
        """Names of the members."""
        return [str(each) for each in self.forecast["number"].values]

    def members(self, leads: Leads) -> Iterator[Array]:
        """Members (M, H, W) at one lead time after the other.

        Raises:
            InputError: The file is damaged, or a map holds no number.
        """
        maps = read_members(self.forecast, leads)
        for lead in leads:
            with read_errors(self.source):
                values = next(maps)
            known = np.isfinite(values).any((1, 2, 3))
            if not known.all():
                raise InputError(
                    f"{self.source} has no number in {self.channel.name} of member "
                    f"{self.member_names[int(known.argmin())]} at {lead_name(lead)}, expected a "
                    "complete forecast: finish it, or choose other lead times with --leads."
                )
            truth = self._read_truth(lead)
            if truth is not None:
                check_size(self.source, values, truth, [self.channel])
            yield self.display(values[:, 0])

    def mean_and_spread(self, leads: Leads) -> tuple[Array, Array]:
        """Mean and standard deviation of the members, (T, H, W) each."""
        pairs = [(m.mean(0), np.sqrt(variance(m))) for m in self.members(leads)]
        means, spreads = zip(*pairs, strict=True)
        return np.stack(means), np.stack(spreads)

    def truth_at(self, lead: np.timedelta64) -> Array | None:
        """The truth (H, W) at a lead time; None if it is not known."""
        truth = self._read_truth(lead)
        return None if truth is None else self.display(truth[0])

    def at_point(self, row: int, column: int) -> tuple[Array, Array]:
        """Members (M, T) and truth (T,) at one grid point; NaN where there is no truth."""
        where = {"latitude": row, "longitude": column}
        with read_errors(self.source):
            values = self.forecast.isel(where).transpose("number", LEAD, ...).values
        truth = np.full(len(self.leads), np.nan, np.float32)
        if self.truth is not None:
            known = np.isin(self.start + self.leads, self.truth["time"].values)
            with read_errors("the truth"):
                found = self.truth.isel(where).sel(time=self.start + self.leads[known])
                truth[known] = found.values.reshape(-1)
        return self.display(values.reshape(values.shape[:2])), self.display(truth)

    def _read_truth(self, lead: np.timedelta64) -> Array | None:
        """The truth (1, H, W) at a lead time, in the file's units."""
        if self.truth is None or self.start + lead not in self.truth["time"].values:
            return None
        with read_errors("the truth"):
            return map_values(self.truth.sel(time=self.start + lead))

    def lead_title(self, lead: np.timedelta64) -> str:
        """Lead time and valid time, the title of a map."""
        return f"{lead_name(lead)}, valid {time_name(self.start + lead)}"

    @property
    def description(self) -> str:
        """Initial time, number of members and file: the second line of a heading."""
        file = Path(self.source.rstrip("/")).name
        return f"initial time {time_name(self.start)}, {len(self.member_names)} members, {file}"


def lead_name(lead: np.timedelta64) -> str:
    """A lead time in words.

    >>> lead_name(np.timedelta64(120, "h")), lead_name(np.timedelta64(36, "h"))
    ('day 5 (+120 h)', 'day 1.5 (+36 h)')
    """
    hours = lead / np.timedelta64(1, "h")
    return f"day {hours / 24:.3g} (+{hours:g} h)"


def time_name(time: np.datetime64, form: str = "%a %Y-%m-%d %H UTC") -> str:
    """A time in words.

    >>> time_name(np.datetime64("2003-11-01T12"))
    'Sat 2003-11-01 12 UTC'
    """
    return str(time.astype("datetime64[s]").item().strftime(form))
