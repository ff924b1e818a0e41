"""The commands as a user types them: what they write, what a stop leaves, one sentence else."""

import errno
import hashlib
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from refine_core.app.cli import main
from tests.weather import tiny
from tests.weather.synthetic import atmosphere
from weather.io.forecast_store import ForecastStore
from weather.training.run import train

USUAL = {
    "--model": ["runs/tiny_refine"],
    "--members": ["7"],
    "--time": ["2000-02-05T00", "2000-02-06T00"],
    "--lead-days": ["1.5"],
    "--batch": ["3"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A trained model in runs/tiny_refine, and truth.zarr."""
    path = tmp_path_factory.mktemp("weather")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFINE_CACHE", str(path / "cache"))
        patch.chdir(path)
        short = replace(tiny.OPT, epochs=1)
        network = replace(tiny.NETWORK, training=short)
        made = tiny.config(path)
        tokens = replace(made.head.tokenizer, training=short)
        head = replace(made.head, network=network, tokenizer=tokens)
        train(replace(made, mean=network, head=head), quiet=True)
        yield path


def forecast(folder: Path, out: str, *argv: str, init: str = "truth.zarr") -> None:
    """Unless told otherwise, seven members of two starts, five at a time."""
    usual = {option: values for option, values in USUAL.items() if option not in argv}
    words = [word for option, values in usual.items() for word in (option, *values)]
    places = ["--init", str(folder / init), "--out", str(folder / out)]
    main(["weather", "forecast", *places, *words, *argv])


def refused(capsys: pytest.CaptureFixture[str], *argv: Any, **options: Any) -> str:
    """The one sentence that a forecast ends with."""
    with pytest.raises(SystemExit) as end:
        forecast(*argv, **options)
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return " ".join(said[said.index("refine: ") :].split())


def digest(store: Path) -> dict[str, str]:
    """Bytes of every file of a store."""
    files = [path for path in sorted(store.rglob("*")) if path.is_file()]
    return {
        str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def test_a_forecast_has_the_layout_that_others_expect(folder: Path) -> None:
    forecast(folder, "whole.zarr")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = xr.open_zarr(folder / "whole.zarr")
    assert dict(data.sizes) == {
        "time": 2, "number": 7, "prediction_timedelta": 4, "level": 2, "latitude": 8,
        "longitude": 16,
    }  # fmt: skip
    assert data["geopotential"].encoding["chunks"][:2] == (1, 1)
    assert data["2m_temperature"].attrs["units"] == "K"
    assert data["valid_time"].dims == ("time", "prediction_timedelta")
    values = data["geopotential"].values
    assert np.isfinite(values).all()
    assert (values[:, :, 1:].std(1) > 0).all() and (values[:, :, 0] == values[:, :1, 0]).all()


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
def test_a_stop_loses_no_member_and_changes_no_byte(
    stop: BaseException,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if not (folder / "whole.zarr").exists():
        forecast(folder, "whole.zarr")
    name, calls, write = f"stopped_{type(stop).__name__}.zarr", [0], ForecastStore.write

    def failing(self: ForecastStore, *given: Any) -> None:
        calls[0] += 1
        if calls[0] == 3:
            raise stop
        write(self, *given)

    monkeypatch.setattr(ForecastStore, "write", failing)
    with pytest.raises(SystemExit) as end:
        forecast(folder, name)
    assert end.value.code == 2
    assert "Traceback" not in capsys.readouterr().err
    assert not (folder / name).exists()
    monkeypatch.setattr(ForecastStore, "write", write)
    forecast(folder, name)
    assert digest(folder / name) == digest(folder / "whole.zarr")


def test_a_stop_while_netcdf_is_written_loses_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*given: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(xr.Dataset, "to_netcdf", failing)
        forecast(folder, "late.nc")
    assert not (folder / "late.nc").exists()
    monkeypatch.setattr(ForecastStore, "write", failing)  # nothing is drawn again
    forecast(folder, "late.nc")
    assert not list(folder.glob("late.*partial*")) and not (folder / "late.zarr").exists()


def test_another_start_does_not_go_on_with_a_stopped_forecast(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write = ForecastStore.write

    def once(self: ForecastStore, *given: Any) -> None:
        write(self, *given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(ForecastStore, "write", once)
        forecast(folder, "half.zarr")
    warm = atmosphere()
    warm["temperature"] += 1
    warm.to_netcdf(folder / "warm.nc")
    assert "other states" in refused(capsys, folder, "half.zarr", init="warm.nc")


def test_one_state_is_a_start(folder: Path) -> None:
    atmosphere().sel(time=slice("2000-02-04T12", "2000-02-05T00")).to_netcdf(folder / "two.nc")
    base = ["--model", "runs/tiny_refine", "--members", "2", "--lead-days", "0.5"]
    there = ["--init", str(folder / "two.nc"), "--out", str(folder / "one.zarr")]
    main(["weather", "forecast", *base, *there])
    with xr.open_zarr(folder / "one.zarr") as data:
        assert data["time"].values.tolist() == [np.datetime64("2000-02-05", "ns").astype(int)]


def test_nothing_is_overwritten_unasked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "once.nc").write_text("precious")
    assert "--overwrite" in refused(capsys, folder, "once.nc")
    assert (folder / "once.nc").read_text() == "precious"
    (folder / "once.nc").unlink()
    forecast(folder, "once.nc")
    assert not (folder / "once.zarr").exists()
    before = os.stat(folder / "once.nc").st_mtime_ns
    assert "--overwrite" in refused(capsys, folder, "once.nc", "--seed", "1")
    assert os.stat(folder / "once.nc").st_mtime_ns == before
    forecast(folder, "once.nc", "--seed", "1", "--overwrite")
    with xr.open_dataset(folder / "once.nc") as data:
        assert data.sizes["number"] == 7


def test_wrong_inputs_get_one_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = atmosphere()
    changed = {
        "celsius.nc": truth.assign(temperature=truth["temperature"] - 273.15),
        "one_level.nc": truth.sel(level=[850]),
        "no_pressure.nc": truth.drop_vars("mean_sea_level_pressure"),
        "coarse.nc": truth.isel(latitude=slice(None, None, 2)),
        "moved.nc": truth.assign_coords(latitude=truth["latitude"] + np.eye(8)[3]),
        "twice.nc": truth.isel(time=np.arange(truth.sizes["time"]).repeat(2)),
    }
    bare = truth.assign(temperature=truth["temperature"].drop_attrs() - 273.15)
    odd = truth.assign(temperature=truth["temperature"].assign_attrs(units="bananas"))
    lost = truth.assign(temperature=truth["temperature"].where(truth["longitude"] > 0))
    changed |= {"bare.nc": bare, "odd.nc": odd, "lost.nc": lost}
    for name, data in changed.items():
        data.to_netcdf(folder / name)
    assert "500" in refused(capsys, folder, "x.zarr", init="one_level.nc")
    assert "mean_sea_level_pressure" in refused(capsys, folder, "x.zarr", init="no_pressure.nc")
    assert "4" in refused(capsys, folder, "x.zarr", init="coarse.nc")
    assert "temperature" in refused(capsys, folder, "x.zarr", init="celsius.nc")
    assert "check its units" in refused(capsys, folder, "x.zarr", init="bare.nc")
    assert "is in 'bananas', expected 'K'" in refused(capsys, folder, "x.zarr", init="odd.nc")
    assert "missing (NaN)" in refused(capsys, folder, "x.zarr", init="lost.nc")
    assert "as its 4th, the model" in refused(capsys, folder, "x.zarr", init="moved.nc")
    assert "has 2 states at 2000-02" in refused(capsys, folder, "x.zarr", init="twice.nc")
    assert "nowhere.zarr is not there" in refused(capsys, folder, "x.zarr", init="nowhere.zarr")
    said = refused(capsys, folder, "x.zarr", "--time", "1999-01-01T00")
    assert "from 2000-01-01T00 to 2000-02-" in said
    for time in ("2000-02-06/2000-02-05/24h", "2000-02-05T00+01:00", "2000-02-05/2000-02-06/0h"):
        assert "all of UTC" in refused(capsys, folder, "x.zarr", "--time", time)
    for days in ("nan", "inf"):
        assert "finite number" in refused(capsys, folder, "x.zarr", "--lead-days", days)
    assert "multiple of the model's step" in refused(
        capsys, folder, "x.zarr", "--lead-days", "0.3"
    )
    assert ".zarr or .nc" in refused(capsys, folder, "x.grib")
    assert "nobody" in refused(capsys, folder, "x.zarr", "--model", "nobody")
    assert not (folder / "x.zarr").exists()


def test_the_floor_is_below_the_error_of_the_mean(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["weather", "floor", "--model", "runs/tiny_refine", "--out", str(folder / "floor")])
    assert capsys.readouterr().out.strip() == (folder / "floor/FLOOR.md").read_text().strip()
    numbers = json.loads((folder / "floor/floor.json").read_text())
    assert len(numbers) == 6
    for row in numbers.values():
        assert row["share"] == pytest.approx(row["coded"] / row["mean"])
    assert np.mean([row["share"] for row in numbers.values()]) < 1


def test_a_calibrated_model_forecasts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "calibrated.safetensors"
    options = ["--rounds", "1", "--starts", "2", "--members", "3", "--steps", "2"]
    main(["weather", "calibrate", "--model", "runs/tiny_refine", "--out", str(out), *options])
    assert "gain" in capsys.readouterr().out
    assert len(json.loads(out.with_suffix(".json").read_text())) == 2
    forecast(folder, "calibrated.zarr", "--model", str(out))
    with xr.open_zarr(folder / "calibrated.zarr") as made:
        assert made.sizes["number"] == 7


def test_too_few_to_measure_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for argv, expected in {
        ("calibrate", "--starts", "0"): "Found --starts 0, expected a whole number above 0.",
        ("calibrate", "--members", "1"): "Found 12 starts of 1 members",
        ("floor", "--count", "0"): "Found --count 0, expected a whole number above 0.",
    }.items():
        with pytest.raises(SystemExit) as end:
            main(["weather", argv[0], "--model", "runs/tiny_refine", *argv[1:]])
        assert end.value.code == 2
        assert expected in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    "argv",
    [
        "simulate --days 0",
        "simulate --spin-up-days -1",
        "calibrate --steps 0 --model x",
        "calibrate --rounds -1 --model x",
        "forecast --members 0 --model x --init y",
        "forecast --batch -2 --model x --init y",
        "demo --members 0",
    ],
)
def test_numbers_out_of_range_are_refused(argv: str, capsys: pytest.CaptureFixture[str]) -> None:
    command, option, number, *rest = argv.split()
    with pytest.raises(SystemExit) as end:
        main(["weather", command, option, number, *rest])
    assert end.value.code == 2
    assert f"Found {option} {number}, expected a whole number" in capsys.readouterr().err


def test_places_that_cannot_be_written_are_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs").write_text("")
    cases = {
        "train": "Found --name runs/gcm, but runs is a file, expected a folder",
        "simulate --out runs/x.zarr": "Found --out runs/x.zarr, but runs is a file",
        "simulate --out x.nc": "expected a name that ends in .zarr",
        "calibrate --model x --out x.pt": "expected a name that ends in .safetensors",
        "floor --model x --out runs": "Found --out runs, but runs is a file",
        "forecast --model x --init y --out x.grib": "a name that ends in .zarr or .nc",
        "verify x --truth y --out runs/z": "Found --out runs/z, but runs is a file",
        "plot x --out runs": "Found --out runs, but runs is a file",
        "sample --out runs": "Found --out runs, but runs is a file",
        "demo --out runs": "Found --out runs, but runs is a file",
    }
    for argv, expected in cases.items():
        with pytest.raises(SystemExit) as end:
            main(["weather", *argv.split()])
        assert end.value.code == 2
        assert expected in capsys.readouterr().err, argv


def test_help_does_without_torch() -> None:
    source = """
import sys
from refine_core.app.cli import main
main(["weather", "--help"])
heavy = {"torch", "xarray", "scipy", "jax", "matplotlib"} & sys.modules.keys()
assert not heavy, heavy
"""
    run = [sys.executable, "-c", source]
    root = Path(__file__).parents[3]
    ended = subprocess.run(run, capture_output=True, text=True, check=False, cwd=root)
    assert (ended.returncode, ended.stderr) == (0, "") and "calibrate" in ended.stdout
