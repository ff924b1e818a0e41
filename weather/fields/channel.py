"""TODO."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Channel:
    """One predicted map.

    Args:
        variable: WeatherBench 2 name, e.g. "geopotential" or "2m_temperature".
        level: In hPa; None at the surface.
    """

    variable: str
    level: int | None = None

    @property
    def name(self) -> str:
        """E.g. "geopotential_500"."""
        return self.variable if self.level is None else f"{self.variable}_{self.level}"
