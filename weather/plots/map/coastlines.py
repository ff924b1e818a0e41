"""Coastlines for maps, from a file that is installed with the package: nothing is fetched."""

import json
from functools import cache
from pathlib import Path

import numpy as np

from weather.fields.arrays import Array

FILE = Path(__file__).parent / "coastline.json"
"""Natural Earth, land at 1:110 million, public domain. The file describes its own format."""


@cache
def coastline() -> tuple[Array, ...]:
    """All coasts, as lines cut at the dateline and at the poles.

    Returns:
        (n, 2) each, longitude in [-180, 180] and latitude, in degrees.
    """
    lines = json.loads(FILE.read_text(encoding="utf-8"))["lines"]
    return tuple(np.cumsum(np.reshape(line, (-1, 2)), axis=0) / 100.0 for line in lines)


def coastlines_between(west: float, east: float) -> Array:
    """Coasts of a map between a western and an eastern meridian.

    A line that crosses the edge of the map is returned whole; the map clips it.

    Args:
        west: Degrees, of any size, such as 150.
        east: Degrees, larger, such as 210 for a map across the dateline.

    Returns:
        (n, 2) longitude and latitude, with a row of NaN between two lines.
    """
    gap = np.full((1, 2), np.nan)
    parts = [gap]
    first, last = (int(np.floor((edge + 180) / 360)) for edge in (west, east))
    for turn in range(first, last + 1):
        for line in coastline():
            moved = line + (360.0 * turn, 0.0)
            if moved[:, 0].max() >= west and moved[:, 0].min() <= east:
                parts += [moved, gap]
    return np.concatenate(parts)
