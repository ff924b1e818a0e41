"""A small truth, and forecasts of it that are what a test needs."""

from functools import cache

import numpy as np
import xarray as xr

DAY = np.timedelta64(24, "h").astype("timedelta64[ns]")
UNITS = {"temperature": "K", "mean_sea_level_pressure": "Pa"}
ORDER = ("time", "number", "prediction_timedelta", "level", "latitude", "longitude")


@cache
def world(years: int = 3, h: int = 8, w: int = 12) -> xr.Dataset:
    """Daily states with a season, and weather that lasts for some days; not to be changed."""
    days = np.datetime64("2000-01-01", "ns") + np.arange(365 * years + 1) * DAY
    latitude = -90 + 180 / h * (np.arange(h) + 0.5)
    generator = np.random.default_rng(0)
    noise = generator.normal(size=(len(days), 3, h, w))
    for day in range(1, len(days)):
        noise[day] = 0.7 * noise[day - 1] + np.sqrt(1 - 0.7**2) * noise[day]
    angle = 2 * np.pi * np.arange(len(days)) / 365.2425
    season = 8 * np.cos(angle)[:, None, None] * np.sin(np.deg2rad(latitude))[:, None]
    dims = ("time", "latitude", "longitude")
    upper = 260 + season[:, None] + 3 * noise[:, :2]
    data = {
        "temperature": (("time", "level", *dims[1:]), upper, {"units": "K"}),
        "mean_sea_level_pressure": (dims, 1e5 + 500 * noise[:, 2], {"units": "Pa"}),
    }
    places = {"latitude": latitude, "longitude": np.arange(w) * 360 / w, "level": [500, 850]}
    return xr.Dataset(data, {"time": days, **places}).astype(np.float32)


def starts(count: int = 6, first: str = "2002-03-01", step: int = 9) -> np.ndarray:
    """Starts `step` days apart."""
    return np.asarray(np.datetime64(first, "ns") + np.arange(count) * step * DAY)


def ensemble(
    truth: xr.Dataset,
    members: int = 6,
    inits: np.ndarray | None = None,
    leads: int = 3,
    spread: float = 1.0,
    seed: int = 1,
) -> xr.Dataset:
    """Forecast whose members and truth are equally far from a common centre.

    Args:
        truth: Truth of `world`.
        members: M.
        inits: Starts; the lead times are whole days.
        leads: How many days.
        spread: Spread of the members, over that of the truth.
        seed: Seed of the noise.
    """
    inits = starts() if inits is None else inits
    lead = np.arange(1, leads + 1) * DAY
    generator = np.random.default_rng(seed)
    fields = {}
    for name, scale in (("temperature", 2.0), ("mean_sea_level_pressure", 300.0)):
        times = xr.DataArray(inits[:, None] + lead, dims=("time", "prediction_timedelta"))
        known = times.clip(max=truth["time"].values[-1])
        future = truth[name].sel(time=known).drop_vars("time")
        noise = generator.normal(size=(members + 1, *future.shape)) * scale
        values = future.values - noise[0] + spread * noise[1:]
        dims = ("number", *future.dims)
        fields[name] = xr.DataArray(values.astype(np.float32), dims=dims, attrs=truth[name].attrs)
    coords = {"time": inits, "number": np.arange(members), "prediction_timedelta": lead}
    places = {each: truth[each] for each in ("level", "latitude", "longitude")}
    made = xr.Dataset(fields, {**coords, **places})
    valid = made["time"] + made["prediction_timedelta"]
    return made.assign_coords(valid_time=valid).transpose(*ORDER)


def other_layout(forecast: xr.Dataset) -> xr.Dataset:
    """As somebody else would write it."""
    forecast = forecast.isel(latitude=slice(None, None, -1), level=[1, 0])
    west = (forecast["longitude"].values + 180) % 360 - 180
    forecast = forecast.assign_coords(longitude=west).sortby("longitude")
    hours = (forecast["prediction_timedelta"].values / np.timedelta64(1, "h")).astype(int)
    forecast = forecast.assign_coords(
        prediction_timedelta=("prediction_timedelta", hours, {"units": "hours"})
    )
    forecast = forecast.transpose("longitude", "latitude", "prediction_timedelta", ...)
    names = {"latitude": "lat", "longitude": "lon", "number": "realization"}
    return forecast.rename({**names, "prediction_timedelta": "lead_time", "temperature": "t"})
