"""States of the same season: at the same hour of the day, near the same day of the year."""

import numpy as np
from numpy.typing import NDArray

from weather.fields.arrays import Times
from weather.fields.times import YEAR

WINDOW = 15.0
"""Days on either side of a day that belong to its season."""
LEAST_STATES, MOST_STATES = 10, 120
"""States of a season that a climatology needs, and that it is made of at most."""
GAP = np.timedelta64(15, "D")
"""Time before a forecast's start in which states tell of the weather to come."""


def season(times: Times, when: np.datetime64) -> NDArray[np.intp]:
    """Indices of the times (T,) at the hour of `when`, within `WINDOW` days of its day of a year.

    >>> years = np.array(["2001-12-25", "2002-06-01", "2003-01-05"], "datetime64[h]")
    >>> season(years, np.datetime64("2010-01-01T00")).tolist()
    [0, 2]
    """
    away = np.abs((_day(times) - _day(when) + YEAR / 2) % YEAR - YEAR / 2)
    return np.flatnonzero((away <= WINDOW) & same_hour(times, np.array([when])))


def same_hour(times: Times, wanted: Times) -> NDArray[np.bool_]:
    """(T,) whether a time is at the hour of the day of one of those wanted."""
    return np.isin(_hour(times), _hour(wanted))


def evenly_spaced(index: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most `most` of the indices, evenly spaced.

    >>> evenly_spaced(np.arange(10), 4).tolist()
    [0, 3, 6, 9]
    """
    if len(index) <= most:
        return index
    return index[np.linspace(0, len(index) - 1, most).round().astype(np.int64)]


def _hour(times: Times) -> NDArray[np.int64]:
    return times.astype("datetime64[h]").astype(np.int64) % 24


def _day(times: Times | np.datetime64) -> NDArray[np.float64]:
    """Day of the year, from 0, with its fraction."""
    seconds = times.astype("datetime64[s]")
    year = seconds.astype("datetime64[Y]").astype("datetime64[s]")
    return np.asarray((seconds - year) / np.timedelta64(86400, "s"))
