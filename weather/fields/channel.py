"""A predicted map, by variable and pressure level."""

from dataclasses import dataclass

from weather.fields.variables import long_name, on_level


@dataclass(frozen=True)
class Channel:
    """One predicted map.

    Args:
        variable: WeatherBench 2 name, e.g. "geopotential" or "2m_temperature".
        level: Pressure level in hPa; None at the surface.
    """

    variable: str
    level: int | None = None

    @property
    def name(self) -> str:
        """E.g. "geopotential_500"."""
        return self.variable if self.level is None else f"{self.variable}_{self.level}"

    @property
    def is_wind(self) -> bool:
        """Whether it is a component of the wind, whose axes turn with longitude."""
        return "component_of_wind" in self.variable


def usual_name(word: str) -> str:
    """Name of the variable or channel that a short name such as msl, z or z500 means.

    >>> usual_name("z500"), usual_name("t2m"), usual_name("t")
    ('geopotential_500', '2m_temperature', 'temperature')
    """
    found = on_level(word)
    return long_name(word, levels=True) if found is None else Channel(*found).name
