"""One channel of a forecast from one initial time, and the truth: what pictures are made of."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
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
from weather.io.values import quantum_of, read_members
from weather.metrics.ensemble import variance
from weather.plots.display import Display
from weather.plots.states import Climatology, States


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
        truth: What happened; None if it is not known.
        climatology: What past years say; None without a history.
    """

    channel: Channel
    display: Display
    source: str
    start: np.datetime64
    forecast: xr.DataArray
    truth: States | None
    climatology: Climatology | None = None

    @property
    def grid(self) -> Grid:
        """The grid of the maps."""
        return grid_of(self.forecast.to_dataset(name="field"))

    @cached_property
    def leads(self) -> Leads:
        """All lead times; without that of the start where it has no values, as sums have none."""
        leads: Leads = np.asarray(self.forecast[LEAD].values)
        if len(leads) == 1 or leads[0] > np.timedelta64(0):
            return leads
        with read_errors(self.source):
            first = next(read_members(self.forecast, leads[:1]))
        return leads if np.isfinite(first).any() else leads[1:]

    @property
    def member_names(self) -> list[str]:
        """Names of the members."""
        return [str(each) for each in self.forecast["number"].values]

    @property
    def is_single(self) -> bool:
        """Whether there is one member only."""
        return self.forecast.sizes["number"] == 1

    @property
    def quantum(self) -> float:
        """Of which values of the truth and of past years are multiples, in the file's units.

        It is 0 if they are multiples of none that is known.
        """
        past = None if self.climatology is None else self.climatology.states
        return max((quantum_of(s.array) for s in (self.truth, past) if s is not None), default=0.0)

    @property
    def mean_name(self) -> str:
        """Name of the mean of the members."""
        return "forecast" if self.is_single else "ensemble mean"

    @property
    def is_complete(self) -> bool:
        """Whether each cell has a value at the last lead time."""
        return bool(np.isfinite(next(self.members(self.leads[-1:]))).all())

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
            shown = self.display(values)
            truth = self.truth_at(lead)
            if truth is not None:
                check_size(self.source, shown, truth[None], [self.channel])
            yield shown[:, 0]

    def mean_and_spread(self, leads: Leads) -> tuple[Array, Array]:
        """Mean and standard deviation of the members, (T, H, W) each; that of one is zero."""
        pairs = [(m.mean(0), _standard_deviation(m)) for m in self.members(leads)]
        means, spreads = zip(*pairs, strict=True)
        return np.stack(means), np.stack(spreads)

    def truth_at(self, lead: np.timedelta64) -> Array | None:
        """The truth (H, W) at a lead time; None if it is not known."""
        valid = np.array([self.start + lead])
        if self.truth is None or valid[0] not in self.truth.times:
            return None
        return np.asarray(self.truth.at(valid)[0])

    def at_point(self, row: int, column: int) -> Array:
        """Members (M, T) at one grid point, at each of `leads`."""
        with read_errors(self.source):
            chosen = self.forecast.sel({LEAD: self.leads}).isel(latitude=row, longitude=column)
            values = chosen.transpose("number", LEAD, ...).values
        return self.display(values.reshape(values.shape[:2]))

    def lead_title(self, lead: np.timedelta64) -> str:
        """Lead time and valid time, the title of a map."""
        return f"{lead_name(lead)}, valid {time_name(self.start + lead)}"

    @property
    def description(self) -> str:
        """Initial time, number of members and file: the second line of a heading."""
        file = Path(self.source.rstrip("/")).name
        count = "1 member" if self.is_single else f"{len(self.member_names)} members"
        return f"initial time {time_name(self.start)}, {count}, {file}"


def _standard_deviation(members: Array) -> Array:
    """Standard deviation (H, W) of members (M, H, W)."""
    return np.sqrt(variance(members)) if len(members) > 1 else np.zeros_like(members[0])


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
