"""One form for all data sets on latitude-longitude grids.

Canonical: dimensions (time, number, prediction_timedelta, level, latitude, longitude) as far as
there are any, WeatherBench 2 names, float32 in SI units, latitude ascending, longitude ascending
in [0, 360), level in hPa ascending, times as datetime64[ns].
"""

from collections.abc import Hashable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from refine_core.errors import InputError
from weather.fields.grid import Grid
from weather.fields.variables import HEIGHTS, VARIABLES, conversion, long_name, on_level

LEAD = "prediction_timedelta"
"""Name of the dimension of lead times, as in WeatherBench 2."""
DIMS = ("time", "number", LEAD, "level", "latitude", "longitude")
TRUTH_DIMS = ("time", "level", "latitude", "longitude")
_ALIASES = {
    "latitude": ("lat", "y_lat", "nav_lat"),
    "longitude": ("lon", "long", "nav_lon"),
    "level": ("pressure_level", "isobaricinhpa", "plev", "lev", "pressure", "isobaric"),
    "number": (
        *("realization", "realisation", "realizations", "sample", "samples", "draw"),
        *("ensemble", "ensemble_member", "ens", "member", "members", "mem"),
    ),
    LEAD: ("lead_time", "step", "lead"),
    "time": ("valid_time", "init_time", "forecast_reference_time", "initial_time", "datetime"),
}


def canonical_name(dim: str) -> str:
    """Name of a dimension by which others know it; an unknown one stays as it is.

    >>> canonical_name("lead"), canonical_name("realization")
    ('prediction_timedelta', 'number')
    """
    return next((name for name, aliases in _ALIASES.items() if dim.lower() in aliases), dim)


def canonical(dataset: xr.Dataset) -> xr.Dataset:
    """Bring a data set on a latitude-longitude grid into canonical form.

    Units are converted where the attribute says what they are. Variables such as z500 and z850
    become one on levels. Variables without latitude and longitude are left out; dimensions that
    have no alias are kept; the order of times is kept.

    Raises:
        InputError: There is no such grid, a dimension is empty, or times are of a calendar that is
            not Gregorian.
    """
    dataset = _renamed(dataset)
    for name in ("latitude", "longitude"):
        if name not in dataset.dims or name not in dataset.coords:
            found = ", ".join(map(str, dataset.dims)) or "none"
            raise InputError(
                f"found the dimensions {found}, expected latitude and longitude, each with "
                "its coordinates: regrid to a regular latitude-longitude grid."
            )
    dataset = dataset[
        [n for n, a in dataset.data_vars.items() if {"latitude", "longitude"} <= set(a.dims)]
    ]
    empty = [str(dim) for dim, size in dataset.sizes.items() if size == 0]
    if empty:
        raise InputError(
            f"found no value along {empty[0]}, expected one or more: give other data."
        )
    dataset = _with_times(_with_places(dataset))
    order = [*(d for d in DIMS[:3]), *(d for d in dataset.dims if d not in DIMS), *DIMS[3:]]
    converted = {str(n): _converted(a) for n, a in dataset.data_vars.items()}
    return dataset.assign(converted).transpose(*order, missing_dims="ignore")


def at_valid_times(dataset: xr.Dataset) -> xr.Dataset:
    """A canonical data set without its lead time, if there is one, which times then include."""
    if LEAD not in dataset.coords or dataset[LEAD].size != 1:
        return dataset
    lead = dataset[LEAD].values.reshape(())
    dataset = dataset.squeeze(LEAD, drop=True) if LEAD in dataset.dims else dataset.drop_vars(LEAD)
    if "time" not in dataset.coords:
        return dataset
    return dataset.assign_coords(time=dataset["time"] + lead)


def grid_of(dataset: xr.Dataset) -> Grid:
    """Grid of a canonical data set.

    Raises:
        InputError: It has a single row or column.
    """
    latitude, longitude = (
        np.asarray(dataset[name].values, np.float64) for name in ("latitude", "longitude")
    )
    if min(len(latitude), len(longitude)) < 2:
        raise InputError(
            f"found a grid of {len(latitude)} latitudes and {len(longitude)} longitudes, expected "
            "two or more of both: give data on a grid."
        )
    return Grid(latitude, longitude)


def _renamed(dataset: xr.Dataset) -> xr.Dataset:
    """Dimensions, coordinates and variables by their canonical names."""
    for name, aliases in _ALIASES.items():
        known = {str(n).lower(): n for n in (*dataset.dims, *dataset.coords)}
        found = [known[alias] for alias in aliases if alias in known]
        if name == "time" and "time" in known:
            # Together with a lead time, or with a dimension of times, it is auxiliary.
            found = [] if "time" in dataset.dims else [n for n in found if n in dataset.dims]
            if found:
                dataset = dataset.drop_vars("time")
        elif name in dataset.dims or name in dataset.coords:
            continue
        dims = [n for n in found if n in dataset.dims]
        for chosen in (dims or found)[:1]:
            dataset = dataset.rename({chosen: name})
    if "level" in dataset.coords and "level" not in dataset.dims:
        dataset = _with_level_dimension(dataset)
    dataset = _with_named_levels(dataset)
    names = {n: long_name(str(n), "level" in a.dims) for n, a in dataset.data_vars.items()}
    taken = set(names)
    for old, new in names.items():
        if old != new and new not in taken:
            if str(old).lower() in HEIGHTS:
                units = dataset[old].attrs.get("units", "m")
                dataset = dataset.assign({old: dataset[old].assign_attrs(units=units)})
            dataset = dataset.rename({old: new})
            taken.add(new)
    return dataset


def _with_level_dimension(dataset: xr.Dataset) -> xr.Dataset:
    """Make a single level a dimension of the variables that are given on levels."""
    level = dataset["level"]
    if level.size > 1:
        raise InputError(
            f"found levels along {', '.join(map(str, level.dims))}, expected a dimension level: "
            "rename it."
        )
    dataset = dataset.drop_vars("level")
    upper = {
        name: array.expand_dims(level=[level.item()])
        for name, array in dataset.data_vars.items()
        if (known := VARIABLES.get(long_name(str(name), levels=True))) and known.upper
    }
    return dataset.assign(upper) if upper else dataset


def _with_named_levels(dataset: xr.Dataset) -> xr.Dataset:
    """Join variables that have a level in their name, such as z500 and z850.

    Where variables are on different levels, those that a variable lacks are missing, and its
    attribute `levels` lists those that it has.
    """
    found: dict[str, dict[int, Hashable]] = {}
    for name, array in dataset.data_vars.items():
        # The names of winds at some heights, such as u100, look alike.
        height = "met" in str(array.attrs.get("long_name", "")).lower()
        known = None if height or "level" in array.dims else on_level(str(name))
        if known is not None and known[0] not in dataset:
            found.setdefault(known[0], {})[known[1]] = name
    if not found or "level" in dataset.dims:
        return dataset
    joined = []
    for variable, names in found.items():
        index = xr.Variable("level", sorted(names), {"units": "hPa"})
        maps = [dataset[names[level]] for level in sorted(names)]
        array = xr.concat(maps, index, coords="minimal", compat="override").rename(variable)
        if str(maps[0].name).lower().startswith(HEIGHTS):
            array.attrs.setdefault("units", "m")
        joined.append(array.assign_attrs(levels=sorted(names)))
    rest = dataset.drop_vars([name for names in found.values() for name in names.values()])
    return xr.merge([rest, *joined], join="outer", compat="override", combine_attrs="override")


def _with_places(dataset: xr.Dataset) -> xr.Dataset:
    """Latitude, longitude and level in canonical form."""
    longitude = np.asarray(dataset["longitude"].values, np.float64) % 360
    longitude[longitude > 360 - 1e-6] = 0
    _, east = np.unique(longitude.round(6), return_index=True)  # also drops a repeated meridian
    if not np.array_equal(east, np.arange(len(longitude))):
        dataset = dataset.isel(longitude=east)
    latitude = np.asarray(dataset["latitude"].values, np.float64)
    if np.any(np.diff(latitude) < 0):
        north = np.argsort(latitude)
        descending = np.array_equal(north, np.arange(len(north))[::-1])
        dataset = dataset.isel(latitude=slice(None, None, -1) if descending else north)
    places: dict[str, NDArray[np.generic]] = {
        "latitude": np.sort(latitude),
        "longitude": longitude[east],
    }
    if "level" in dataset.dims:
        level = np.asarray(dataset["level"].values, np.float64)
        pascal = str(dataset["level"].attrs.get("units", "")).lower() in ("pa", "pascal")
        level = level / 100 if pascal or level.max() > 2000 else level
        down = np.argsort(level)
        if not np.array_equal(down, np.arange(len(down))):
            dataset = dataset.isel(level=down)
        whole = level[down].round().astype(np.int64)
        places["level"] = whole if np.allclose(whole, level[down]) else level[down]
    units = {"latitude": "degrees_north", "longitude": "degrees_east", "level": "hPa"}
    made = {
        name: (name, values, {"standard_name": _STANDARD[name], "units": units[name]})
        for name, values in places.items()
    }
    return dataset.assign_coords(made)


_STANDARD = {"latitude": "latitude", "longitude": "longitude", "level": "air_pressure"}


_HOURS = (
    dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 1.0)
    | dict.fromkeys(("d", "day", "days"), 24.0)
    | dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 1 / 60)
    | dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1 / 3600)
)
"""Hours in the units of lead times."""


def _with_times(dataset: xr.Dataset) -> xr.Dataset:
    """Times and lead times in nanoseconds."""
    if LEAD in dataset.coords and not np.issubdtype(dataset[LEAD].dtype, np.timedelta64):
        unit = str(dataset[LEAD].attrs.get("units", "")).lower()
        if hours := _HOURS.get(unit):
            leads = (dataset[LEAD].values * hours * 3.6e12).round().astype("timedelta64[ns]")
            dataset = dataset.assign_coords({LEAD: (dataset[LEAD].dims, leads)})
    for name, kind in (("time", "datetime64[ns]"), (LEAD, "timedelta64[ns]")):
        if name in dataset.coords and dataset[name].dtype.kind in "mM":
            dataset = dataset.assign_coords({name: dataset[name].astype(kind)})
    if "time" in dataset.coords and dataset["time"].dtype.kind != "M":
        raise InputError(
            f"found times such as {dataset['time'].values.flat[0]!s}, expected dates of the "
            "Gregorian calendar: give the coordinate units such as 'hours since 2000-01-01', or "
            "convert its calendar with xarray's convert_calendar."
        )
    return dataset


def _converted(array: xr.DataArray) -> xr.DataArray:
    """The array in float32, and in SI units where its units are known."""
    kept = ("units", "standard_name", "long_name", "levels", "quantum")
    attrs = {k: v for k, v in array.attrs.items() if k in kept}
    name = str(array.name)
    found = attrs.get("units")
    change = conversion(name, str(found)) if name in VARIABLES and found is not None else None
    if change is not None:
        if change != (1, 0):
            array = array.astype(np.float64) * change[0] + change[1]
            attrs.pop("quantum", None)  # values are multiples no more
        attrs["units"] = VARIABLES[name].units
    array = array.astype(np.float32)
    array.attrs = attrs
    return array
