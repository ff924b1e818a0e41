"""Climatology is what repeats, learnt from the training part alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from tests.weather.synthetic import atmosphere, config, times
from weather.data.preparation import prepare
from weather.data.prepared import Prepared
from weather.fields.climatology import TERMS, climatology_at


def yearly(hours: int) -> xr.Dataset:
    """A temperature that repeats every year and day."""
    when = times(3 * 365, hours, "2001-01-01")
    source = atmosphere(when, h=2, w=4)
    day = ((when - np.datetime64("2000-01-01", "ns")) / np.timedelta64(1, "D"))[:, None, None]
    year, south = 2 * np.pi * day / 365.2425, np.array([[1.0], [-1.0]])
    warm = 10 * south * np.cos(year - 0.3) + np.arange(4) * np.sin(2 * year)
    warm = warm + 3 * np.cos(2 * np.pi * day + np.arange(4)) * (hours < 12)
    source["2m_temperature"] = (("time", "latitude", "longitude"), (280 + warm).astype("f4"))
    return source[["2m_temperature"]]


def learnt(tmp_path: Path, source: xr.Dataset, **changes: Any) -> Prepared:
    source.to_netcdf(tmp_path / "s.nc")
    parts = {"train": ("2001-01-01", "2002-11-30"), "validation": ("2003-01-01", "2003-05-31")}
    data = config(
        tmp_path / "s.nc",
        **{"atmospheric": (), "levels": (), "static": (), "forcing": (), "step_hours": 24},
        **{"surface": ("2m_temperature",), "test": ("2003-07-01", "2003-12-31")},
        **(parts | changes),
    )
    return prepare(data, tmp_path / "p", quiet=True)


@pytest.mark.parametrize(("hours", "terms"), [(6, TERMS[2]), (24, TERMS[1])])
def test_climatology_foresees_what_repeats(tmp_path: Path, hours: int, terms: int) -> None:
    made = learnt(tmp_path, yearly(hours))
    assert made.climatology.shape == (terms, 1, 2, 4)
    when = made.times[made.starts("test")]
    truth = made.states[made.starts("test")]
    np.testing.assert_allclose(climatology_at(made.climatology, when), truth, atol=2e-3)


def test_climatology_of_less_than_a_year_is_the_mean(tmp_path: Path) -> None:
    made = learnt(tmp_path, yearly(24), train=("2001-01-01", "2001-06-30"))
    assert made.climatology.shape == (1, 1, 2, 4)
    mean = made.states[:181].mean(0)
    np.testing.assert_allclose(climatology_at(made.climatology, made.times[:3])[2], mean, 1e-6)
