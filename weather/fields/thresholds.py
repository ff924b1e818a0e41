"""Thresholds above which there is an event, such as rain or frost."""

from collections.abc import Mapping, Sequence

import numpy as np

from refine_core.errors import InputError, suggest
from weather.fields.channel import Channel

THRESHOLDS = {
    "total_precipitation": (0.0002, 0.001, 0.005, 0.01),
    "total_precipitation_6hr": (0.0002, 0.001, 0.005, 0.01),
    "total_precipitation_24hr": (0.0002, 0.001, 0.005, 0.02),
}
"""Usual ones by variable, in metres."""


def chosen_thresholds(
    channels: Sequence[Channel], wanted: Mapping[str, Sequence[float]]
) -> dict[str, list[float]]:
    """Ascending thresholds by name of the channel; those wanted take the place of usual ones.

    Args:
        channels: What is verified.
        wanted: Thresholds in SI units, by name of a channel or variable.

    Raises:
        InputError: There is no such channel, or a threshold is no number.
    """
    names = [*dict.fromkeys(n for c in channels for n in (c.variable, c.name))]
    for name, values in wanted.items():
        if name not in names:
            raise InputError(
                f"Found thresholds of {name!r}, expected a variable that is verified: "
                f"{', '.join(names)}.{suggest(name, names)}"
            )
        if not len(values) or not np.isfinite(values).all():
            found = ", ".join(map(str, values)) or "none"
            raise InputError(
                f"Found the thresholds {found} of {name}, expected numbers in SI units."
            )
    chosen: dict[str, list[float]] = {}
    for channel in channels:
        usual = THRESHOLDS.get(channel.variable, ())
        values = wanted.get(channel.name, wanted.get(channel.variable, usual))
        if len(values):
            chosen[channel.name] = sorted(set(map(float, values)))
    return chosen


def parse_thresholds(texts: Sequence[str]) -> dict[str, list[float]]:
    """Thresholds by variable, of name=value,value each.

    >>> parse_thresholds(["2m_temperature=273.15,300"])
    {'2m_temperature': [273.15, 300.0]}

    Raises:
        InputError: One has another form, or a name stands twice.
    """
    found: dict[str, list[float]] = {}
    for text in texts:
        name, _, values = text.partition("=")
        try:
            numbers = [float(value) for value in values.split(",")]
        except ValueError:
            numbers = []
        if not (name and numbers):
            raise InputError(
                f"Found the thresholds {text!r}, expected variable=value,value in SI units, such "
                "as 2m_temperature=273.15."
            )
        if name in found:
            raise InputError(f"Found thresholds of {name} twice: give all its values at once.")
        found[name] = numbers
    return found
