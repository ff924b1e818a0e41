"""Times: read from text, and as angles of the day and of the year."""

import re
import warnings
from datetime import UTC, date, datetime

import numpy as np
from numpy.typing import NDArray

from refine_core.errors import InputError
from weather.fields.arrays import Times

YEAR = 365.2425
"""Days."""


AnyTime = str | date | np.datetime64
"""A time of UTC; `datetime` is a `date`, and a date is its first hour."""


def parse_time(time: AnyTime) -> np.datetime64:
    """A time of UTC, in nanoseconds.

    >>> str(parse_time("2003-11-15T06Z")), str(parse_time(datetime(2003, 11, 15)))
    ('2003-11-15T06:00:00.000000000', '2003-11-15T00:00:00.000000000')
    >>> str(parse_time("20031115T06"))
    '2003-11-15T06:00:00.000000000'

    Args:
        time: A text is in ISO 8601, with or without hyphens. Without a time zone, text and
            `datetime` are of UTC.

    Raises:
        InputError: It is no time, or none from 1678 to 2262, as nanoseconds hold no others, or a
            text names another time zone.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # numpy warns of a time zone in a text
            if isinstance(time, datetime) and time.tzinfo is not None:
                time = time.astimezone(UTC).replace(tzinfo=None)
            given = _with_hyphens(time.removesuffix("Z")) if isinstance(time, str) else time
            exact: Times = np.atleast_1d(np.asarray(given, "datetime64"))
            found: Times = exact.astype("datetime64[ns]")
        # A time that nanoseconds do not hold comes out as another one.
        held = bool(found[0] == exact[0]) and found[0].astype(exact.dtype) == exact[0]
        if not isinstance(given, AnyTime) or not held:
            raise ValueError
        parsed: np.datetime64 = found[0]
        return parsed
    except (TypeError, ValueError, Warning):
        raise InputError(
            f"Found the time {time!r}, expected one of UTC such as 2003-11-01T00."
        ) from None


def _with_hyphens(text: str) -> str:
    """A date of eight digits with hyphens, for NumPy takes it to be a year."""
    return re.sub(r"^(\d{4})(\d{2})(\d{2})(?=T|$)", r"\1-\2-\3", text)


def angles(times: Times) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(T,) time of day, and of year, as angles from 0 to 2 pi."""
    days = np.asarray((times - np.datetime64("2000-01-01", "ns")) / np.timedelta64(1, "D"))
    return 2 * np.pi * (days % 1), 2 * np.pi * (days / YEAR % 1)


def clock(times: Times) -> NDArray[np.float32]:
    """(T, 4) sine and cosine of the time of day, then of the time of year."""
    day, year = angles(times)
    parts = [np.sin(day), np.cos(day), np.sin(year), np.cos(year)]
    return np.stack(parts, 1).astype(np.float32)
