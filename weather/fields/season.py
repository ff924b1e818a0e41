"""States of the same season: at the same hour of the day, near the same day of the year."""

import numpy as np
from numpy.typing import NDArray

from weather.fields.arrays import Times
from weather.fields.times import YEAR

WINDOW = 15.0
"""Days on either side of a day that belong to its season."""


def season(times: Times, when: np.datetime64, window: float = WINDOW) -> NDArray[np.intp]:
    """Indices of the times (T,) at the hour of `when`, within `window` days of its day of a year.

    >>> years = np.array(["2001-12-25", "2002-06-01", "2003-01-05"], "datetime64[h]")
    >>> season(years, np.datetime64("2010-01-01T00")).tolist()
    [0, 2]
    """
    hour = np.timedelta64(1, "h")
    apart = np.asarray((times - when) / hour)
    days = np.abs((apart / 24 + YEAR / 2) % YEAR - YEAR / 2)
    return np.flatnonzero((days <= window + 0.5) & (np.round(apart) % 24 == 0))
