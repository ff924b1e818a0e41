"""Everything that is wrong with a source is said at once, by variable and time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from refine_core.errors import InputError
from tests.weather.synthetic import atmosphere, config
from weather.data.checks import check_source, source_problems
from weather.fields.variables import VARIABLES, conversion, long_name, mean_range, value_range
from weather.io.canonical import canonical
from weather.io.source import Source


def states(dataset: xr.Dataset) -> Source:
    return Source("", canonical(dataset))


def found(source: xr.Dataset, sample: bool = False, **changes: Any) -> list[str]:
    return source_problems(states(source), config(**changes), sample=sample)


def spoil(name: str, change: Callable[[np.ndarray], None]) -> xr.Dataset:
    source = atmosphere().load().copy(deep=True)
    change(source[name].values)
    return source


def test_nothing_is_wrong_with_the_atmosphere() -> None:
    assert found(atmosphere()) == []
    check_source(states(atmosphere()), config())


def only(problems: list[str], *said: str) -> None:
    assert len(problems) == 1, problems
    for text in said:
        assert text in problems[0]


def test_missing_variables_and_levels() -> None:
    only(found(atmosphere(), surface=("2m_temprature",)), "2m_temprature: not", "'2m_temperature'")
    only(found(atmosphere(), surface=("msl",)), "mean 'mean_sea_level_pressure'?")
    problems = found(atmosphere(), levels=(500, 300))
    assert [problem.split(",")[0] for problem in problems] == [
        "geopotential: not at 300 hPa",
        "temperature: not at 300 hPa",
    ]
    only(found(atmosphere(), static=("lake_cover",)), "lake_cover: not in the source")
    only(found(atmosphere(), forcing=("sun",)), "sun: not in the source")
    only(found(atmosphere(), static=(), forcing=("land_sea_mask",)), "expected latitude, longitu")
    only(found(atmosphere(), surface=("geopotential",), atmospheric=()), "select")
    only(found(atmosphere(), surface=(), atmospheric=()), "neither atmospheric nor surface")


@pytest.mark.parametrize(
    ("name", "factor", "summand", "said"),
    [
        ("2m_temperature", 1, -273.15, "2m_temperature: a value of"),
        ("temperature", 1, -273.15, "temperature at 500 hPa: a value of"),
        ("mean_sea_level_pressure", 0.01, 0, "expected 80000 to 115000 Pa"),
        ("geopotential", 1 / 9.80665, 0, "geopotential at 500 hPa: a global mean of 5"),
        ("geopotential_at_surface", 1 / 9.80665, 0, "geopotential_at_surface: a global mean of 2"),
        ("land_sea_mask", 100, 0, "land_sea_mask: a value of 100, expected -0.01 to 1.01 1"),
    ],
)
def test_values_in_other_units(name: str, factor: float, summand: float, said: str) -> None:
    source = atmosphere()
    source[name] = source[name] * factor + summand
    for sample in (True, False):
        problems = found(source, sample)
        assert any(said in problem for problem in problems), problems
        assert all(name in problem or "looked at in 3" in problem for problem in problems)


def test_a_unit_that_is_declared_and_unknown() -> None:
    source = atmosphere()
    source["2m_temperature"].attrs["units"] = "furlong"
    only(found(source), "2m_temperature: is in 'furlong', expected 'K'")


def test_missing_values_name_variable_level_and_first_time() -> None:
    def nan(values: np.ndarray) -> None:
        values[30, 1, 2, 3] = np.nan
        values[41, 1, 2, 3] = np.inf

    source = spoil("temperature", nan)
    only(
        found(source), "temperature at 850 hPa: missing (NaN)", "2000-01-08T12:00", "1 later time"
    )
    assert found(source, sample=True) == []
    only(found(spoil("2m_temperature", lambda v: v[7].fill(280))), "the same value 280 everywhere")
    assert found(spoil("toa_incident_solar_radiation", lambda v: v[7].fill(0))) == []


def test_gaps_duplicates_and_order_in_time() -> None:
    source, index = atmosphere(), np.arange(172)
    only(found(source.isel(time=np.delete(index, [9, 10, 30]))), "2000-01-03T00:00 is followed by")
    assert found(source.isel(time=np.delete(index, range(84, 92)))) == []  # between the parts
    only(found(source.isel(time=np.insert(index, 5, 4))), "after 2000-01-02T00:00 the same time")
    swapped = index.copy()
    swapped[[6, 7]] = 7, 6
    only(found(source.isel(time=swapped)), "after 2000-01-02T18:00 an earlier time follows")
    only(found(source, step_hours=9), "6 hours apart", "data.step_hours 9")
    with pytest.raises(InputError, match="step_hours: found 0, expected"):
        config(step_hours=0)
    assert any("time: there is none" in p for p in found(source.isel(time=0, drop=True)))


def test_parts() -> None:
    source = atmosphere()
    only(found(source, validation=("2000-01-22", "2000-01-31")), "1 days apart, expected", "3")
    only(found(source, validation=("2000-01-19", "2000-01-31")), "train and data.validation overl")
    only(found(source, test=("2000-02-12", "2000-02-12"), step_hours=24), "test", "holds 4 of")
    only(found(source, test=("2001-02-12", "2001-02-15")), "data.test", "2000-02-12T18:00")
    only(found(source, test=("2000-02-12", "2000-02-05")), "ends before it begins")
    only(found(source, test=("2000-02-05", "tomorrow")), "data.test: found 'tomorrow'")


def test_grids() -> None:
    source = atmosphere(h=32, w=64)
    only(found(source.isel(latitude=np.delete(np.arange(32), 5))), "latitude: the step after")
    only(found(source.isel(longitude=slice(0, 40))), "longitude: goes from 0 to 219.375")
    only(found(source.isel(latitude=slice(5, None))), "latitude: goes from -59.0625")
    poles = source.assign_coords(latitude=np.linspace(-90, 90, 32))
    assert found(poles) == []
    gauss = np.degrees(np.arcsin(np.polynomial.legendre.leggauss(32)[0]))
    only(found(source.assign_coords(latitude=gauss)), "equal steps around the globe")


def test_one_report_of_all(tmp_path: Path) -> None:
    source = spoil("geopotential", lambda values: values[33, 0].fill(np.nan))
    source["2m_temperature"] = source["2m_temperature"] - 273.15
    source = source.isel(time=np.delete(np.arange(172), 50))
    source.chunk(time=20).to_zarr(tmp_path / "s.zarr", zarr_format=3, consolidated=False)
    (tmp_path / "s.zarr/mean_sea_level_pressure/c/1/0/0").write_bytes(b"cut")
    data = config(tmp_path / "s.zarr", levels=(500, 700), validation=("2000-01-21", "2000-01-31"))
    with pytest.raises(InputError) as raised:
        check_source(Source.open(data.source), data)
    lines = str(raised.value).split("\n- ")
    assert lines[0].endswith("s.zarr cannot be used, 7 problems:")
    for said in (
        "geopotential: not at 700 hPa, only at 500, 850 hPa: choose among them",
        "temperature: not at 700 hPa",
        "time: in data.train, 2000-01-13T06:00 is followed by 2000-01-13T18:00",
        "data.train and data.validation are 0 days apart",
        "geopotential at 500 hPa: missing (NaN) or infinite values at 2000-01-09T06:00",
        "2m_temperature: a value of",
        "mean_sea_level_pressure at 2000-01-06T00:00 cannot be read",
    ):
        assert any(said in line for line in lines), (said, lines)


def test_known_variables_agree_with_each_other() -> None:
    for name, known in VARIABLES.items():
        assert conversion(name, known.units) == (1, 0), name
        assert known.lowest < known.highest
        for alias in known.aliases:
            both = alias in ("orog", "orography", "surface_altitude")
            assert long_name(alias, levels=known.upper) == name or both
    assert mean_range("unheard_of", None) == value_range("unheard_of") == (-np.inf, np.inf)
    for level, mean in ((1000, 1070), (500, 54500), (200, 115500), (50, 201000), (1, 468000)):
        low, high = mean_range("geopotential", level)
        assert low < mean < high
        assert level > 925 or not low < mean / 9.80665 < high
