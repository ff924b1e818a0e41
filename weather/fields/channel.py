"""A predicted map, by variable and pressure level."""

from dataclasses import dataclass


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
