"""Verification: mistakes, and the command."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from refine_core.errors import InputError
from tests.weather.forecasts import DAY, ensemble, other_layout, world
from weather.cli.main import main as command
from weather.io import values
from weather.io.files import open_files
from weather.verification.run import verify

WORLD = world()
FORECAST = ensemble(WORLD)


HOLED = xr.ones_like(WORLD["mean_sea_level_pressure"][0]).where(WORLD["latitude"] > -70)


def without_units(data: xr.Dataset) -> xr.Dataset:
    data = data.copy()
    data["temperature"] = data["temperature"] - 273.15
    return data


def of_another_unit(data: xr.Dataset) -> xr.Dataset:
    data = data.copy(deep=True)
    data["temperature"].attrs["units"] = "eV"
    return data


def with_a_gap(data: xr.Dataset) -> xr.Dataset:
    data = data.copy(deep=True)
    data["temperature"].loc[{"time": "2001-03-10", "level": 850}] = np.nan
    return data


def in_two_runs(data: xr.Dataset) -> xr.Dataset:
    return xr.concat([data, data], "run")


def broken(data: xr.Dataset) -> xr.Dataset:
    data = data.copy(deep=True)
    data["temperature"][2, 1, 1, 0, 3, 4] = np.nan
    return data


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda f: f.isel(latitude=slice(1, None)), {}, "grid of 7 x 12 .* truth one of 8 x 12"),
        (lambda f: f.assign_coords(longitude=f.longitude + 3), {}, "from -78.75N 3E, the truth"),
        (without_units, {}, "units seem to differ"),
        (broken, {}, r"temperature_500 at 2002-03-21T00, map 2 of 6"),
        (lambda f: f.isel(prediction_timedelta=0, drop=True), {}, "expected a forecast with pred"),
        (lambda f: f.rename(temperature="warmth", mean_sea_level_pressure="p"), {}, "in common"),
        (lambda f: f.assign_coords(time=f.time + 9999 * DAY), {}, "is in the truth, which goes"),
        (lambda f: f.isel(time=[0, 1, 1]), {}, "the time 2002-03-10T00:00 twice"),
        (lambda f: f.rename(number="tries"), {}, "'tries', of size 6, expected no dimension but"),
        (lambda f: f, {"history": in_two_runs(WORLD)}, "The history has .* 'run', of size 2"),
        (lambda f: f, {"variables": ["temperature_580"]}, "Did you mean 'temperature_850'"),
        (lambda f: f, {"lead_days": [2.5]}, "no lead time of 2.5 days, it has 1, 2, 3"),
        (lambda f: f, {"regions": ["tropic"]}, "Did you mean 'tropics'"),
        (lambda f: f, {"against": {"forecast": FORECAST}}, "two forecasts named"),
        (lambda f: f, {"against": {"b": FORECAST.isel(level=[0])}}, "b has no variable"),
        (
            lambda f: f,
            {"against": {"b": FORECAST.assign_coords(time=FORECAST.time + DAY)}},
            "No start is in all of forecast, b",
        ),
        (lambda f: f, {"history": WORLD.isel(level=[0])}, "history has no variable"),
        (
            lambda f: f,
            {"history": without_units(WORLD)},
            "The history has a mean of .* units seem",
        ),
        (lambda f: f, {"history": of_another_unit(WORLD)}, "The history .* 'eV', the truth in"),
        (lambda f: f, {"history": with_a_gap(WORLD)}, "history .* temperature_850 at 2001-03-10T"),
        (lambda f: f, {"name": "climatology"}, "named 'climatology', as is .* another name"),
        (lambda f: f, {"against": {"truth": FORECAST}}, "a forecast named 'truth'"),
        (
            lambda f: f,
            {"against": {"dressed persistence": FORECAST}},
            "named 'dressed persistence",
        ),
        (lambda f: f, {"lead_days": [np.nan]}, "no lead time of nan days, it has 1, 2, 3"),
        (lambda f: f, {"lead_days": [np.inf]}, "no lead time of inf days"),
        (lambda f: f, {"lead_days": "3"}, "Found lead days '3', expected a number"),
        (lambda f: f, {"seed": 1.5}, "Found the seed 1.5, expected a whole number"),
        (lambda f: f, {"seed": -1}, "Found the seed -1, expected 0 or more"),
        (lambda f: f, {"history": WORLD.isel(time=0, drop=True)}, "The history has no times"),
        (lambda f: f, {"workers": "x"}, "Found 'x' workers, expected a whole number above 0, or"),
        (
            lambda f: f,
            {"limit": FORECAST["temperature"]},
            "limit of type DataArray.* to_dataset",
        ),
        (lambda f: f["temperature"], {}, "Found forecast of type DataArray"),
        (lambda f: f, {"mask": WORLD}, "mask of type Dataset, expected an xarray.DataArray"),
        (lambda f: f, {"mask": HOLED}, "The mask has no value in 12 of 96 cells.*fillna"),
        (lambda f: f, {"thresholds": {"t850": ["warm"]}}, "thresholds warm of temperature_850"),
    ],
)
def test_mistakes_get_one_sentence(
    change: Callable[[xr.Dataset], xr.Dataset], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message) as error:
        verify(change(FORECAST), WORLD, **options)
    assert re.fullmatch(r"[^\n]+[.?]", str(error.value))


def test_paths_short_names_and_single_values_stand_for_data_and_lists(tmp_path: Path) -> None:
    names = {name: tmp_path / f"{name}.nc" for name in ("made", "truth", "other")}
    for path, data in zip(
        names.values(), (FORECAST, WORLD, FORECAST[["temperature"]]), strict=True
    ):
        data.to_netcdf(path)
    found = verify(
        str(names["made"]),
        names["truth"],
        str(names["truth"]),
        against={"other": names["other"]},
        variables="t850",
        lead_days=1,
        regions="global",
        thresholds={"t850": 260},
    )
    assert found == verify(
        FORECAST,
        WORLD,
        against={"other": FORECAST[["temperature"]]},
        variables=["temperature_850"],
        lead_days=[1.0],
        regions=["global"],
        thresholds={"temperature_850": [260.0]},
    )
    assert "brier_>260" in found["scores"]["forecast"]["temperature_850"]["global"]


def test_the_command_writes_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    WORLD.to_netcdf(tmp_path / "truth.nc")
    other_layout(FORECAST).to_netcdf(tmp_path / "mine.nc")
    FORECAST.isel(number=0, drop=True).to_netcdf(tmp_path / "other.nc")
    out = tmp_path / "out"
    command(
        ["verify", str(tmp_path / "mine.nc"), "--truth", str(tmp_path / "truth.nc")]
        + ["--against", f"other={tmp_path / 'other.nc'}", "--out", str(out)]
        + ["--leads", "1", "3", "--regions", "global", "tropics"]
        + ["--variables", "temperature_850"]
    )
    report = json.loads((out / "metrics_all.json").read_text())
    assert report == verify(
        FORECAST,
        WORLD,
        against={"other": FORECAST.isel(number=0, drop=True)},
        lead_days=[1, 3],
        regions=["global", "tropics"],
        variables=["temperature_850"],
        name="mine",
    )
    text = (out / "REPORT.md").read_text()
    pictures = re.findall(r"\]\((.*\.png)\)", text)
    assert len(pictures) == 9  # none beside a control of one member
    assert {path.name for path in out.iterdir()} == {
        *(*pictures, "metrics.json", "metrics_all.json", "REPORT.md", "report.html")
    }
    page = (out / "report.html").read_text()
    assert len(page) < 5_000_000 and page.count("<img") >= len(pictures) + 2
    assert "than that of climatological ensemble" in page and '"lead time"' in page
    printed = capsys.readouterr().out
    row = next(line for line in printed.splitlines() if "temperature_850 (K) | mine" in line)
    best = report["scores"]["mine"]["temperature_850"]["global"]["crps_fair"]["value"][0]
    assert f"**{best:.3g}**" in row
    assert row in text


@pytest.mark.parametrize(
    ("against", "message"),
    [(["c.zarr"], "expected name=path"), (["x=c", "x=d"], "x=c x=d: give each another name")],
)
def test_the_command_wants_names_for_other_forecasts(against: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        command(["verify", "a.zarr", "--truth", "b.zarr", "--against", *against])


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with mine.zarr, truth.zarr and history.zarr."""
    folder = tmp_path_factory.mktemp("stores")
    truth = WORLD[["temperature"]].chunk(time=100)
    forecast = FORECAST[["temperature"]].chunk(time=1)
    for name, data in {"mine": forecast, "truth": truth, "history": truth}.items():
        data.to_zarr(folder / f"{name}.zarr", zarr_format=3, consolidated=False)
    return folder


@pytest.mark.parametrize(
    ("damaged", "chunk", "message"),
    [
        ("truth", "8/0/0/0", "The truth: temperature"),  # days 800 to 899, from March 2002
        ("history", "4/0/0/0", "The history: temperature"),  # spring of 2001
        ("mine", "2/0/0/0/0/0", "mine: temperature from 2002-03-19T00"),
    ],
)
@pytest.mark.parametrize("budget", [values.BUDGET, 1])
def test_a_truncated_chunk_is_named(
    stores: Path,
    monkeypatch: pytest.MonkeyPatch,
    damaged: str,
    chunk: str,
    message: str,
    budget: int,
) -> None:
    monkeypatch.setattr(values, "BUDGET", budget)
    file = stores / f"{damaged}.zarr" / "temperature" / "c" / chunk
    whole = file.read_bytes()
    file.write_bytes(whole[:50])
    mine, *others = (open_files(str(stores / f"{n}.zarr")) for n in ("mine", "truth", "history"))
    with pytest.raises(InputError, match=f"^{message} cannot be read"):
        verify(mine, *others, name="mine", regions=["global"])
    file.write_bytes(whole)
