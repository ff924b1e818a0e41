"""Known variables: their names, units, and the values that are possible on Earth."""

import math
import re
from dataclasses import dataclass

GRAVITY = 9.80665
"""m s-2, which makes a height a geopotential."""


@dataclass(frozen=True)
class Variable:
    """A known variable.

    Args:
        units: SI, as WeatherBench 2 writes them.
        lowest: No value lies below.
        highest: No value lies above.
        mean: Range of the mean over the globe; None where it is not known.
        aliases: Other names in use, lower case.
        upper: Whether it is given on pressure levels.
        nonnegative: Whether values below zero are errors, which rounding may leave.
    """

    units: str
    lowest: float
    highest: float
    mean: tuple[float, float] | None = None
    aliases: tuple[str, ...] = ()
    upper: bool = False
    nonnegative: bool = False


HEIGHTS = ("gh", "zg", "hgt", "geopotential_height", "orog", "orography", "surface_altitude")
"""Aliases in metres where they have no units."""
_WIND = ("m s**-1", -200.0, 200.0, (-60.0, 60.0))
_WATER = ("kg m**-2", -0.1, 200.0, (0.1, 80.0))
_RAIN = ("m", -0.001, 3.0, (0.0, 0.05))
_SHARE = ("1", -0.01, 1.01, None)
_HEAT = ("J m**-2", -1e8, 1e9, None)

VARIABLES = {
    "geopotential": Variable(
        "m**2 s**-2", -2e4, 8e5, None, ("z", "gh", "zg", "hgt", "geopotential_height"), True
    ),
    "temperature": Variable("K", 130, 350, (170, 310), ("t", "ta", "air_temperature"), True),
    "u_component_of_wind": Variable(*_WIND, ("u", "ua", "uwnd", "eastward_wind"), True),
    "v_component_of_wind": Variable(*_WIND, ("v", "va", "vwnd", "northward_wind"), True),
    "specific_humidity": Variable(
        "kg kg**-1", -1e-3, 0.05, (-1e-6, 0.03), ("q", "hus", "shum"), True, True
    ),
    "relative_humidity": Variable("1", -0.5, 3.0, None, ("r", "hur", "rhum"), True, True),
    "vertical_velocity": Variable("Pa s**-1", -100, 100, (-0.1, 0.1), ("w", "wap", "omega"), True),
    "vorticity": Variable(
        *("s**-1", -0.01, 0.01, (-1e-4, 1e-4)), ("vo", "relative_vorticity", "rv"), True
    ),
    "divergence": Variable("s**-1", -0.01, 0.01, (-1e-4, 1e-4), ("d", "div"), True),
    "ozone_mass_mixing_ratio": Variable("kg kg**-1", -1e-5, 1e-3, None, ("o3",), True, True),
    "2m_temperature": Variable("K", 160, 350, (240, 320), ("2t", "t2m", "tas", "t2")),
    "2m_dewpoint_temperature": Variable("K", 130, 330, (220, 310), ("2d", "d2m")),
    "sea_surface_temperature": Variable("K", 250, 330, (260, 310), ("sst", "tos")),
    "skin_temperature": Variable("K", 140, 370, (240, 320), ("skt", "ts")),
    "10m_u_component_of_wind": Variable(*_WIND, ("10u", "u10", "u10m", "uas")),
    "10m_v_component_of_wind": Variable(*_WIND, ("10v", "v10", "v10m", "vas")),
    "10m_wind_speed": Variable("m s**-1", -0.1, 200, (0, 60), ("10si", "si10", "sfcwind")),
    "mean_sea_level_pressure": Variable(
        "Pa", 8e4, 1.15e5, (9.6e4, 1.06e5), ("msl", "mslp", "psl", "slp", "prmsl")
    ),
    "surface_pressure": Variable("Pa", 3.5e4, 1.15e5, (9.2e4, 1.06e5), ("sp", "ps", "pres")),
    "total_column_water_vapour": Variable(*_WATER, ("tcwv", "prw", "pwat"), False, True),
    "total_precipitation": Variable(*_RAIN, ("tp",), False, True),
    "total_precipitation_6hr": Variable(*_RAIN, ("tp6h", "tp_6hr"), False, True),
    "total_precipitation_24hr": Variable(*_RAIN, ("tp24h", "tp_24hr"), False, True),
    "total_cloud_cover": Variable(*_SHARE, ("tcc", "clt"), False, True),
    "sea_ice_cover": Variable(*_SHARE, ("ci", "siconc", "sea_ice_fraction"), False, True),
    "toa_incident_solar_radiation": Variable(*_HEAT, ("tisr",), False, True),
    "land_sea_mask": Variable(*_SHARE, ("lsm", "sftlf", "land_area_fraction", "landmask")),
    "geopotential_at_surface": Variable(
        *("m**2 s**-2", -1e4, 1e5, (600, 1e4)),
        ("z_sfc", "zs", "phis", "surface_geopotential", "orog", "orography", "surface_altitude"),
    ),
}

_UNITS: dict[str, dict[str, tuple[float, float]]] = {
    "K": {
        **dict.fromkeys(("k", "kelvin", "degk"), (1, 0)),
        **dict.fromkeys(("c", "degc", "celsius", "degreescelsius", "degreec"), (1, 273.15)),
        **dict.fromkeys(("f", "degf", "fahrenheit"), (5 / 9, 459.67 * 5 / 9)),
    },
    "Pa": {
        **dict.fromkeys(("pa", "pascal", "pascals", "nm-2"), (1, 0)),
        **dict.fromkeys(("hpa", "mb", "mbar", "millibar", "millibars"), (100, 0)),
        "kpa": (1000, 0),
    },
    "m**2 s**-2": {
        **dict.fromkeys(("m2s-2", "jkg-1"), (1, 0)),
        **dict.fromkeys(("m", "gpm", "metre", "metres", "meter", "meters"), (GRAVITY, 0)),
        **dict.fromkeys(("dam", "gpdm", "gpdam"), (10 * GRAVITY, 0)),
    },
    "m s**-1": {
        "ms-1": (1, 0),
        "kmh-1": (1 / 3.6, 0),
        "knots": (0.514444, 0),
        "kt": (0.514444, 0),
    },
    "kg kg**-1": {"kgkg-1": (1, 0), "1": (1, 0), "gkg-1": (1e-3, 0)},
    "m": {
        **dict.fromkeys(("m", "metre", "metres", "mofwaterequivalent"), (1, 0)),
        **dict.fromkeys(("mm", "kgm-2"), (1e-3, 0)),
    },
    "kg m**-2": {"kgm-2": (1, 0), "mm": (1, 0)},
    "1": {
        **dict.fromkeys(("1", "", "(0-1)", "fraction", "dimensionless", "proportion"), (1, 0)),
        **dict.fromkeys(("%", "percent"), (0.01, 0)),
    },
    "s**-1": {"s-1": (1, 0)},
    "Pa s**-1": {"pas-1": (1, 0), "hpas-1": (100, 0)},
    "J m**-2": {"jm-2": (1, 0)},
}
_ALIASES = {alias: name for name, known in VARIABLES.items() for alias in known.aliases}


def long_name(name: str, levels: bool) -> str:
    """WeatherBench 2 name of a variable; an unknown one stays as it is.

    Args:
        name: The name as found.
        levels: Whether it has pressure levels: z with levels is the geopotential, without them
            the orography.

    >>> long_name("T2M", levels=False), long_name("z", levels=False), long_name("z", levels=True)
    ('2m_temperature', 'geopotential_at_surface', 'geopotential')
    """
    if name in VARIABLES:
        return name
    if name.lower() == "z" and not levels:
        return "geopotential_at_surface"
    return _ALIASES.get(name.lower(), name)


def on_level(name: str) -> tuple[str, int] | None:
    """Variable and pressure level, in hPa, of a name such as z500; None for other names.

    >>> on_level("z500"), on_level("temperature_850"), on_level("u10"), on_level("msl")
    (('geopotential', 500), ('temperature', 850), None, None)
    """
    found = re.fullmatch(r"(\w*?[a-z])_?(\d{1,4})(?:_?hpa)?", name.lower())
    if found is None or long_name(name, levels=False) in VARIABLES:
        return None
    variable, level = long_name(found[1], levels=True), int(found[2])
    known = VARIABLES.get(variable)
    return (variable, level) if known and known.upper and 1 <= level <= 1100 else None


def conversion(variable: str, units: str) -> tuple[float, float] | None:
    """Factor and summand that turn values in `units` into a known variable's SI units.

    Returns:
        None where the units are unknown for this variable.

    >>> conversion("2m_temperature", "degC"), conversion("geopotential", "gpm")
    ((1, 273.15), (9.80665, 0))
    """
    return _UNITS[VARIABLES[variable].units].get(_plain(units))


def _plain(units: str) -> str:
    """Units in one spelling.

    >>> _plain("m^2/s^2") == _plain("m**2 s**-2") == _plain("m2 s-2")
    True
    """
    text = re.sub(r"/\s*([a-z]+)(?:\*\*|\^)?(\d*)", _inverse, units.strip().lower())
    return re.sub(r"\*\*|\^|[\s_°·.]", "", text)


def _inverse(found: re.Match[str]) -> str:
    return f" {found[1]}-{found[2] or 1}"


ANY = (-math.inf, math.inf)


def value_range(variable: str) -> tuple[float, float]:
    """Lowest and highest possible value of a variable, in SI units."""
    known = VARIABLES.get(variable)
    return (known.lowest, known.highest) if known else ANY


def mean_range(variable: str, level: int | None) -> tuple[float, float]:
    """Range of the mean of a variable over the globe, in SI units.

    For the geopotential it is the height of the level in the standard atmosphere, which is a
    polytrope at pressures above 226 hPa and isothermal at lower ones, give or take a fifth and
    200 m.
    """
    known = VARIABLES.get(variable)
    if known is None or variable != "geopotential" or level is None:
        return known.mean or ANY if known else ANY
    if level > 226:
        height = 44331 * (1 - (level / 1013.25) ** 0.1903)
    else:
        height = 11000 + 6342 * math.log(226.32 / max(level, 1))
    return GRAVITY * (0.8 * height - 200), GRAVITY * (1.2 * height + 200)


def nonnegative(variable: str) -> bool:
    """Whether values of a variable below zero are errors, which rounding may leave."""
    known = VARIABLES.get(variable)
    return known is not None and known.nonnegative


STANDARD_NAMES = {
    "geopotential": "geopotential",
    "temperature": "air_temperature",
    "u_component_of_wind": "eastward_wind",
    "v_component_of_wind": "northward_wind",
    "specific_humidity": "specific_humidity",
    "vorticity": "atmosphere_relative_vorticity",
    "2m_temperature": "air_temperature",
    "10m_u_component_of_wind": "eastward_wind",
    "10m_v_component_of_wind": "northward_wind",
    "mean_sea_level_pressure": "air_pressure_at_mean_sea_level",
    "surface_pressure": "surface_air_pressure",
    **dict.fromkeys(
        ("total_precipitation", "total_precipitation_6hr", "total_precipitation_24hr"),
        "lwe_thickness_of_precipitation_amount",
    ),
    "land_sea_mask": "land_area_fraction",
    "geopotential_at_surface": "surface_geopotential",
}
