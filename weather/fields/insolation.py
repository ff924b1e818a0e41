"""Solar radiation at the top of the atmosphere, from times and places alone.

In a cell at latitude phi it is S / R^2 times the sine of the Sun's elevation, where that is above
zero: sin phi sin delta + cos phi cos delta cos h, with the declination delta, the hour angle h and
the distance R of the Sun in astronomical units. These three follow the low-precision formulas of
the Astronomical Almanac, good to a hundredth of a degree from 1950 to 2050. Integrated over the
hour angle from sunrise to sunset the formula has a closed form, so sums over time are exact.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from weather.fields.arrays import Array, Times
from weather.fields.grid import Grid

SOLAR_CONSTANT = 1361.0
"""S in W m-2, the mean irradiance at one astronomical unit (Kopp and Lean 2011)."""
HOUR = 3600.0
"""Seconds over which radiation is summed, those before the time, as in ERA5."""
_J2000 = np.datetime64("2000-01-01T12", "ns")


class Sun(NamedTuple):
    """The Sun at some times (T,).

    Args:
        declination: Radians.
        distance: Astronomical units.
        ahead: By how much the true Sun is ahead of the mean Sun in hour angle, in radians.
    """

    declination: Array
    distance: Array
    ahead: Array


def sun(times: Times) -> Sun:
    """The Sun at times (T,) of UTC."""
    days = np.asarray((times - _J2000) / np.timedelta64(1, "D"))
    mean = np.deg2rad(280.460 + 0.9856474 * days)
    anomaly = np.deg2rad(357.528 + 0.9856003 * days)
    ecliptic = mean + np.deg2rad(1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly))
    tilt = np.deg2rad(23.439 - 4e-7 * days)
    ascension = np.arctan2(np.cos(tilt) * np.sin(ecliptic), np.cos(ecliptic))
    return Sun(
        declination=np.arcsin(np.sin(tilt) * np.sin(ecliptic)),
        distance=1.00014 - 0.01671 * np.cos(anomaly) - 0.00014 * np.cos(2 * anomaly),
        ahead=(mean - ascension + np.pi) % (2 * np.pi) - np.pi,
    )


def incident_radiation(times: Times, grid: Grid) -> Array:
    """Solar radiation (T, H, W) in J m-2 that came in during the hour before each time.

    Args:
        times: (T,) of UTC.
        grid: Places; values are those at the centres of cells.
    """
    middle = sun(times - np.timedelta64(30, "m"))
    clock = np.asarray((times - times.astype("datetime64[D]")) / np.timedelta64(1, "D"))
    end = 2 * np.pi * (clock[:, None] - 0.5) + np.deg2rad(grid.longitude)  # (T, W)
    end = (end + middle.ahead[:, None])[:, None]
    south = np.deg2rad(grid.latitude)[:, None]
    delta = middle.declination[:, None, None]
    steady, swing = np.sin(south) * np.sin(delta), np.cos(south) * np.cos(delta)
    start = end - 2 * np.pi * HOUR / 86400
    total = _integral(end, steady, swing) - _integral(start, steady, swing)
    seconds = 86400 / (2 * np.pi)
    power = SOLAR_CONSTANT / middle.distance[:, None, None] ** 2
    return np.asarray(seconds * power * np.maximum(total, 0))


def _integral(angle: Array, steady: Array, swing: Array) -> Array:
    """Integral of max(0, steady + swing cos h) from noon, h = 0, to an angle."""
    # cosines vanish at the poles
    sunset = np.arccos(np.clip(-steady / np.maximum(swing, 1e-12), -1, 1))
    days = np.round(angle / (2 * np.pi))
    light = np.clip(angle - 2 * np.pi * days, -sunset, sunset)

    def since_noon(h: Array) -> Array:
        return steady * h + swing * np.sin(h)

    return np.asarray(2 * days * since_noon(sunset) + since_noon(light))


COMPUTED: dict[str, Callable[[Times, Grid], Array]] = {
    "toa_incident_solar_radiation": incident_radiation
}
"""Fields (T, H, W) in SI units that follow from times and a grid, by the name of the variable."""
