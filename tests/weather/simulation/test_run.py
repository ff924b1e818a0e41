"""Training data from a model: layout, and going on after a stop."""

import errno
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from refine_core.app.cli import main
from refine_core.errors import InputError
from tests.weather.io.test_forecast_store import same_files
from tests.weather.waves import Waves
from weather.data.checks import check_source
from weather.data.config import DataConfig
from weather.io.canonical import canonical
from weather.io.source import Source
from weather.simulation import speedy
from weather.simulation.pressure_levels import UPPER, Columns
from weather.simulation.run import SimulationSettings, simulate
from weather.simulation.simulation_store import QUANTA, SimulationStore

SETTINGS = SimulationSettings("2000-02-27", days=9, spin_up_days=3, interval_hours=6, seed=0)


def stopped(day: int, error: BaseException) -> Callable[..., Waves]:
    """A model in which something happens on the given day of a call."""

    class Stopped(Waves):
        def advance(self) -> Columns:
            if self.days + 1 == day:
                raise error
            return super().advance()

    return Stopped


def make(
    path: Path,
    span: SimulationSettings = SETTINGS,
    model: Callable[..., Waves] = Waves,
    **options: Any,
) -> Any:
    simulate(span, "waves 1.0", model, path, quiet=True, **options)
    return xr.open_zarr(path).load()


def test_it_has_the_layout_of_weatherbench(tmp_path: Path) -> None:
    made = make(tmp_path / "a.zarr", replace(SETTINGS, days=6, spin_up_days=0))
    assert dict(made.sizes) == {"time": 24, "level": 4, "latitude": 32, "longitude": 64}
    assert made["time"].values[0] == np.datetime64("2000-02-27T00")
    assert made["time"].values[-1] == np.datetime64("2000-03-03T18")
    assert made["level"].values.tolist() == [250, 500, 700, 850]
    assert made["latitude"].values[[0, 1, -1]].tolist() == [-87.1875, -81.5625, 87.1875]
    assert made["longitude"].values[[0, 1, -1]].tolist() == [0.0, 5.625, 354.375]
    for name in SETTINGS.variables():
        quantum = QUANTA[name]
        level = ("level",) if name in UPPER else ()
        assert made[name].dims == ("time", *level, "latitude", "longitude")
        assert made[name].dtype == np.float32
        assert made[name].encoding["chunks"][0] == 120
        assert np.isfinite(made[name]).all()
        np.testing.assert_array_equal(made[name] % quantum, 0)
    for name in ("land_sea_mask", "geopotential_at_surface"):
        assert made[name].dims == ("latitude", "longitude")
    assert canonical(made).equals(made)
    data = DataConfig(
        source=str(tmp_path / "a.zarr"),
        atmospheric=("geopotential", "specific_humidity"),
        levels=(500, 850),
        surface=("2m_temperature", "mean_sea_level_pressure"),
        static=("land_sea_mask", "geopotential_at_surface"),
        train=("2000-02-27", "2000-02-28"),
        validation=("2000-02-29", "2000-03-01"),
        test=("2000-03-02", "2000-03-03"),
        gap_days=0,
    )
    check_source(Source("", canonical(made)), data)


@pytest.fixture(scope="module")
def small() -> Iterator[None]:
    """Make stores of 8 x 16 cells, which are quicker."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("weather.simulation.run.SIZE", (8, 16))
        yield


@pytest.fixture(scope="module")
def whole(small: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that was simulated without a stop."""
    path = tmp_path_factory.mktemp("whole") / "whole.zarr"
    make(path)
    return path


@pytest.mark.usefixtures("small")
def test_the_first_map_follows_the_spin_up(tmp_path: Path, whole: Path) -> None:
    late = xr.open_zarr(whole).load()
    early = make(tmp_path / "a.zarr", SimulationSettings("2000-02-24", 6, 0, 6, 0))
    shared = slice("2000-02-27", "2000-02-29")
    xr.testing.assert_equal(late.sel(time=shared), early.sel(time=shared))
    assert SETTINGS.model_start() == np.datetime64("2000-02-23T18")


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("day", [1, 4, 7, 12])
def test_a_continued_run_leaves_the_same_files(tmp_path: Path, whole: Path, day: int) -> None:
    part = tmp_path / "part.zarr"
    with pytest.raises(KeyboardInterrupt):
        make(part, model=stopped(day, KeyboardInterrupt()))
    assert not part.exists()
    make(part)
    assert same_files(whole, part)
    assert {path.name for path in tmp_path.iterdir()} == {"part.zarr"}


@pytest.mark.usefixtures("small")
def test_chunks_are_written_once_they_are_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("run", "simulation_store"):
        monkeypatch.setattr(f"weather.simulation.{module}.CHUNK", 16)  # four days
    make(tmp_path / "whole.zarr")
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "part.zarr", model=stopped(9, KeyboardInterrupt()))  # the sixth is stored
    inside = tmp_path / "part.zarr.partial" / "store.zarr" / "temperature" / "c"
    assert [path.name for path in inside.iterdir()] == ["0"]
    make(tmp_path / "part.zarr", model=stopped(6, KeyboardInterrupt()))  # five days are left
    assert same_files(tmp_path / "whole.zarr", tmp_path / "part.zarr")


@pytest.mark.usefixtures("small")
def test_a_full_disk_loses_nothing(
    tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")

    def fail(*_: object) -> None:
        raise full

    with monkeypatch.context() as patch:
        patch.setattr(SimulationStore, "write", fail)
        with pytest.raises(OSError, match="No space"):
            make(tmp_path / "part.zarr")
    make(tmp_path / "part.zarr", model=stopped(3, AssertionError()))  # ten of twelve are stored
    assert same_files(whole, tmp_path / "part.zarr")


@pytest.mark.usefixtures("small")
def test_states_are_kept_to_start_others_from(tmp_path: Path, whole: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "a.zarr", model=stopped(9, KeyboardInterrupt()), states_every=4)
    make(tmp_path / "a.zarr", states_every=4)
    assert same_files(whole, tmp_path / "a.zarr")
    kept = sorted((tmp_path / "a.zarr.states").iterdir())
    assert [path.name for path in kept] == ["2000-03-01T18.npz", "2000-03-05T18.npz"]
    model = Waves(SETTINGS.model_start(), 6, 0)
    with np.load(kept[0]) as file:
        model.restore([file[name] for name in sorted(file)])
    after = model.advance().near_surface_temperature.mean((1, 2))
    stored = xr.open_zarr(whole)["2m_temperature"].sel(time="2000-03-02")
    weight = np.cos(np.deg2rad(stored["latitude"]))
    found = stored.weighted(weight).mean(("latitude", "longitude"))
    np.testing.assert_allclose(found, after, atol=0.2)


@pytest.mark.usefixtures("small")
def test_another_store_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    with pytest.raises(KeyboardInterrupt):
        make(path, model=stopped(7, KeyboardInterrupt()))
    other = SimulationSettings("2000-02-27", days=9, spin_up_days=3, interval_hours=6, seed=1)
    with pytest.raises(InputError, match="part of another simulation"):
        make(path, other)
    first = make(path)
    with pytest.raises(InputError, match="exists: choose another name, or give --overwrite"):
        make(path)
    with pytest.raises(KeyboardInterrupt):
        make(path, other, stopped(7, KeyboardInterrupt()), overwrite=True)
    xr.testing.assert_identical(xr.open_zarr(path).load(), first)  # until the new one is complete
    second = make(path, other, overwrite=True)
    assert not second["temperature"].equals(first["temperature"])
    assert {path.name for path in tmp_path.iterdir()} == {"a.zarr"}
    with pytest.raises(InputError, match="ends in .zarr"):
        make(tmp_path / "a.nc")


@pytest.mark.usefixtures("small")
def test_a_damaged_restart_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "a.zarr", model=stopped(7, KeyboardInterrupt()))
    (tmp_path / "a.zarr.partial" / "restart.npz").write_bytes(b"PK\x03\x04 no longer a file")
    with pytest.raises(InputError, match="restart.npz is damaged: delete"):
        make(tmp_path / "a.zarr")
    shutil.rmtree(tmp_path / "a.zarr.partial")
    make(tmp_path / "a.zarr")


@pytest.mark.usefixtures("small")
def test_an_unstable_model_is_a_sentence(tmp_path: Path) -> None:
    class Unstable(Waves):
        def advance(self) -> Columns:
            columns = super().advance()
            if self.days == 5:
                columns.temperature[:] = np.nan
            return columns

    with pytest.raises(InputError, match="unstable on 2000-02-28: try another --seed"):
        make(tmp_path / "a.zarr", model=Unstable)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"start": "yesterday"}, "Found --start yesterday, expected a day"),
        ({"start": "NaT"}, "Found --start NaT"),
        ({"start": "12000-01-01"}, "between 1700 and 2200"),
        ({"days": 0}, "Found --days 0"),
        ({"spin_up_days": -1}, "--spin-up-days -1"),
        ({"seed": -1}, "--seed -1"),
        ({"interval_hours": 5}, "hours that divide a day"),
        ({"levels": (850, 500)}, "Found --levels 850 500, expected ascending pressures"),
        ({"levels": (10, 500)}, "of 50 to 1100 hPa"),
    ],
)
def test_mistakes_are_sentences(change: dict[str, Any], said: str) -> None:
    settings = {"start": "2000-01-01", "days": 1, "spin_up_days": 0, "interval_hours": 6}
    with pytest.raises(InputError, match=said):
        SimulationSettings(**{"seed": 0, **settings, **change})


def test_a_missing_model_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(SystemExit) as end:
        main(["weather", "simulate", "--out", str(tmp_path / "a.zarr")])
    assert end.value.code == 2
    assert "is not installed: run `pip install 'jcm>=3.0,<4'`." in capsys.readouterr().err
    monkeypatch.setattr(metadata, "version", lambda _: "2.1.0")
    with pytest.raises(InputError, match="Found JCM 2.1.0, expected version 3"):
        speedy.version()


@pytest.mark.slow
def test_the_real_model_goes_on_as_if_never_stopped() -> None:
    pytest.importorskip("jcm")
    span = SimulationSettings("2000-01-01", days=1, spin_up_days=0, interval_hours=6, seed=3)
    whole = speedy.Speedy(span.model_start(), 6, span.seed)
    whole.advance()
    kept, second = whole.state(), whole.advance()
    assert whole.grid.shape == (48, 96)
    assert second.temperature.shape == (4, 8, 48, 96)
    assert 200 < second.temperature.mean() < 300
    again = speedy.Speedy(span.model_start(), 6, span.seed)
    again.restore(kept)
    for name, values in vars(again.advance()).items():
        np.testing.assert_array_equal(values, getattr(second, name), err_msg=name)


@pytest.mark.usefixtures("small")
def test_kept_states_are_those_of_the_last_run(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    make(path, states_every=2)
    other = SimulationSettings("2000-02-27", days=9, spin_up_days=3, interval_hours=6, seed=1)
    make(path, other, states_every=4, overwrite=True)
    kept = sorted(file.name for file in (tmp_path / "a.zarr.states").iterdir())
    assert kept == ["2000-03-01T18.npz", "2000-03-05T18.npz"]
