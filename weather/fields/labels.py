"""How channels, units, numbers and lead times are written for a reader."""

import re
from collections.abc import Iterable, Sequence

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

ABBREVIATIONS = {
    "geopotential": "z",
    "temperature": "t",
    "u_component_of_wind": "u",
    "v_component_of_wind": "v",
    "specific_humidity": "q",
    "2m_temperature": "2 m temperature",
    "mean_sea_level_pressure": "mean sea level pressure",
    "10m_u_component_of_wind": "10 m u wind",
    "10m_v_component_of_wind": "10 m v wind",
}
HEADLINE = ("geopotential_500", "temperature_850", "u_component_of_wind_850", *ABBREVIATIONS)
"""The best known channels, then the best known variables."""
SCALED = {"kg kg**-1": (1e3, "g kg⁻¹"), "s**-1": (1e5, "10⁻⁵ s⁻¹")}
"""Units whose usual values are very small: a factor, and the unit to write instead."""


def best_known(channels: Sequence[str], most: int) -> list[str]:
    """At most `most` of the channels, the best known first if there are more.

    >>> best_known(["vorticity_850", "temperature_850", "2m_temperature"], 2)
    ['temperature_850', '2m_temperature']
    """
    if len(channels) <= most:
        return list(channels)
    return sorted(channels, key=lambda name: (importance(name), name))[:most]


def importance(channel: str) -> int:
    """Rank of a channel in reports, from 0 for the best known.

    >>> importance("geopotential_500"), importance("geopotential_300"), importance("vorticity_850")
    (0, 3, 12)
    """
    variable = channel.rpartition("_")[0] if channel[-1].isdigit() else channel
    known = [channel, variable]
    return min((HEADLINE.index(each) for each in known if each in HEADLINE), default=len(HEADLINE))


def readable_unit(unit: str) -> tuple[float, str]:
    """Factor to a unit in which values are easy to read, and the name of it.

    >>> readable_unit("kg kg**-1"), readable_unit("m**2 s**-2")
    ((1000.0, 'g kg⁻¹'), (1.0, 'm² s⁻²'))
    """
    return SCALED.get(unit, (1.0, format_unit(unit)))


def format_unit(unit: str) -> str:
    """Units with raised powers.

    >>> format_unit("m**2 s**-2")
    'm² s⁻²'
    """
    return re.sub(r"\*\*(-?\d+)", lambda found: found[1].translate(RAISED), unit)


def format_number(value: float) -> str:
    """A number with a minus sign, without zeros at its end.

    >>> format_number(-1024.0), format_number(0.25)
    ('−1024', '0.25')
    """
    return f"{value:.4g}".replace("-", "−")


def channel_title(channel: str) -> str:
    """Name of a channel above a panel.

    >>> [channel_title(name) for name in ("geopotential_500", "2m_temperature", "vorticity_850")]
    ['z500', '2 m temperature', 'vorticity 850']
    """
    name, _, level = channel.rpartition("_")
    if level.isdigit():
        return (
            ABBREVIATIONS[name] + level
            if name in ABBREVIATIONS
            else f"{name.replace('_', ' ')} {level}"
        )
    return ABBREVIATIONS.get(channel, channel.replace("_", " "))


def leads_to_show(lead_days: Sequence[float], most: int) -> list[int]:
    """Indices of at most `most` lead times: 1, 3, 5, 7 and 10 days if there are, or evenly spread.

    >>> leads_to_show([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 6)
    [0, 2, 4, 6, 9]
    >>> leads_to_show([0.5, 1.0, 1.5, 2.0], 3)
    [0, 2, 3]
    """
    if len(lead_days) <= most:
        return list(range(len(lead_days)))
    usual = [lead_days.index(day) for day in (1, 3, 5, 7, 10) if day in lead_days]
    if 3 <= len(usual) <= most:
        return usual
    step = (len(lead_days) - 1) / (most - 1)
    return [int(i * step + 0.5) for i in range(most)]


def move_apart(places: Iterable[float], gap: float) -> list[float]:
    """Move places apart, as little as possible, until they are `gap` from each other.

    >>> move_apart([0.5, 0.5, 3.0], 1.0)
    [0.0, 1.0, 3.0]
    """
    groups: list[list[float]] = []  # centre of each group of touching places, and its count
    wanted = sorted(enumerate(places), key=lambda pair: pair[1])
    for _, place in wanted:
        groups.append([place, 1])
        while (
            len(groups) > 1
            and groups[-1][0] - groups[-2][0] < gap * sum(count for _, count in groups[-2:]) / 2
        ):
            (place_a, count_a), (place_b, count_b) = groups[-2:]
            total = count_a + count_b
            groups[-2:] = [[(place_a * count_a + place_b * count_b) / total, total]]
    ordered = [
        centre + gap * (i - (count - 1) / 2) for centre, count in groups for i in range(int(count))
    ]
    result = [0.0] * len(ordered)
    for (index, _), place in zip(wanted, ordered, strict=True):
        result[index] = place
    return result
