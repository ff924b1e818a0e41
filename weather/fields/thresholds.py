"""Thresholds above which there is an event, such as rain or frost."""

from collections.abc import Mapping, Sequence
from numbers import Real

import numpy as np

from refine_core.errors import InputError, suggest
from weather.fields.arguments import several
from weather.fields.channel import Channel, usual_name

THRESHOLDS = {
    "total_precipitation": (0.0002, 0.001, 0.005, 0.01),
    "total_precipitation_6hr": (0.0002, 0.001, 0.005, 0.01),
    "total_precipitation_24hr": (0.0002, 0.001, 0.005, 0.02),
}
"""Usual ones by variable, in metres."""


def chosen_thresholds(
    channels: Sequence[Channel], wanted: Mapping[str, float | Sequence[float]]
) -> dict[str, list[float]]:
    """Ascending thresholds by name of the channel; those wanted take the place of usual ones.

    Args:
        channels: What is verified.
        wanted: Thresholds in SI units, by name of a channel or variable, also a short one such as
            t2m or z500.

    Raises:
        InputError: There is no such channel, or two names mean the same, or a threshold is no
            number.
    """
    names = [*dict.fromkeys(n for c in channels for n in (c.variable, c.name))]
    given: dict[str, tuple[float, ...]] = {}
    for short, values in wanted.items():
        name = short if short in names else usual_name(short)
        if name not in names:
            raise InputError(
                f"Found thresholds of {short!r}, expected a variable that is verified: "
                f"{', '.join(names)}.{suggest(short, names)}"
            )
        if name in given:
            raise InputError(f"Found thresholds of {name} twice: give all its values at once.")
        given[name] = _numbers(name, several(values))
    chosen: dict[str, list[float]] = {}
    for channel in channels:
        usual = THRESHOLDS.get(channel.variable, ())
        if found := given.get(channel.name, given.get(channel.variable, usual)):
            chosen[channel.name] = sorted(set(map(float, found)))
    return chosen


def _numbers(name: str, values: tuple[float, ...]) -> tuple[float, ...]:
    """Values that are numbers."""
    usable = all(isinstance(value, Real) and np.isfinite(value) for value in values)
    if not values or not usable:
        found = ", ".join(map(str, values)) or "none"
        raise InputError(f"Found the thresholds {found} of {name}, expected numbers in SI units.")
    return values


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
