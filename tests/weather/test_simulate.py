"""Training data from a model: layout, going on after a stop, regridding."""

import errno
import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from refine_core.cli import main
from refine_core.errors import InputError
from tests.weather.test_store import same_files
from weather import speedy
from weather.check import require
from weather.columns import DRY_AIR, LAPSE, Columns, to_levels
from weather.config import DataConfig
from weather.grid import Array, Grid
from weather.regrid import Conservative, rows
from weather.simulate import Span, equiangular, simulate
from weather.simulated import QUANTA, SimulationStore
from weather.source import canonical
from weather.variables import GRAVITY

SIGMA = np.array([0.2, 0.5, 0.8, 0.95])
GAUSSIAN = np.rad2deg(np.arcsin(np.polynomial.legendre.leggauss(12)[0]))
SPAN = Span("2000-02-27", days=9, spin_up_days=3, interval_hours=6, seed=0)


class Waves:
    """A model whose chaotic state shifts its maps."""

    def __init__(self, start: np.datetime64, hours: int, seed: int) -> None:
        self.grid = Grid(GAUSSIAN, np.arange(24) * 15.0)
        self.sigma: Array = SIGMA
        wave = np.cos(np.deg2rad(GAUSSIAN))[:, None] * np.cos(np.deg2rad(self.grid.longitude))
        self.wave: Array = wave
        self.land: Array = np.asarray(wave > 0, float)
        self.surface_geopotential: Array = 9000 * np.maximum(wave, 0)
        self.count, self.at = 24 // hours, 0.1 + 0.01 * seed
        self.days = 0

    def advance(self) -> Columns:
        self.days += 1
        shifts = []
        for _ in range(self.count):
            self.at = 3.9 * self.at * (1 - self.at)
            shifts.append(self.at)
        shift = np.array(shifts)[:, None, None]
        surface = 101000 * np.exp(-self.surface_geopotential / 78000) + 500 * shift
        depth = np.log(SIGMA[:, None, None] * surface[:, None] / 101325)
        wave = (shift * self.wave)[:, None]
        return Columns(
            geopotential=-78000 * depth + 900 * wave,
            temperature=288 + 30 * depth + 9 * wave,
            u_component_of_wind=9 + 20 * wave - 5 * depth,
            v_component_of_wind=9 * wave - depth,
            specific_humidity=0.01 * np.exp(3 * depth) + 0 * wave,
            surface_pressure=surface,
            near_surface_temperature=285 + 5 * shift * self.wave,
        )

    def state(self) -> list[NDArray[Any]]:
        return [np.array(self.at)]

    def restore(self, state: list[NDArray[Any]]) -> None:
        self.at = float(state[0])


def stopped(day: int, error: BaseException) -> Callable[..., Waves]:
    """A model in which something happens on the given day of a call."""

    class Stopped(Waves):
        def advance(self) -> Columns:
            if self.days + 1 == day:
                raise error
            return super().advance()

    return Stopped


def make(
    path: Path, span: Span = SPAN, model: Callable[..., Waves] = Waves, **options: Any
) -> Any:
    simulate(span, "waves 1.0", model, path, quiet=True, **options)
    return xr.open_zarr(path).load()


def test_it_has_the_layout_of_weatherbench(tmp_path: Path) -> None:
    made = make(tmp_path / "a.zarr")
    assert dict(made.sizes) == {"time": 36, "level": 2, "latitude": 32, "longitude": 64}
    assert made["time"].values[0] == np.datetime64("2000-02-27T00")
    assert made["time"].values[-1] == np.datetime64("2000-03-06T18")
    assert made["level"].values.tolist() == [500, 850]
    assert made["latitude"].values[[0, 1, -1]].tolist() == [-87.1875, -81.5625, 87.1875]
    assert made["longitude"].values[[0, 1, -1]].tolist() == [0.0, 5.625, 354.375]
    for name, quantum in QUANTA.items():
        surface = name in ("2m_temperature", "mean_sea_level_pressure")
        level = () if surface else ("level",)
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
        train=("2000-02-27", "2000-03-01"),
        validation=("2000-03-03", "2000-03-04"),
        test=("2000-03-05", "2000-03-06"),
        gap_days=0,
    )
    require(canonical(made), data)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make stores of 8 x 16 cells, which are quicker."""
    monkeypatch.setattr("weather.simulate.SIZE", (8, 16))


@pytest.mark.usefixtures("small")
def test_the_first_map_follows_the_spin_up(tmp_path: Path) -> None:
    late = make(tmp_path / "a.zarr")
    whole = make(tmp_path / "b.zarr", Span("2000-02-24", 12, 0, 6, 0))
    xr.testing.assert_equal(late, whole.sel(time=late["time"]))
    assert SPAN.begin() == np.datetime64("2000-02-23T18")


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("day", [1, 4, 7, 12])
def test_a_continued_run_leaves_the_same_files(tmp_path: Path, day: int) -> None:
    whole, part = tmp_path / "whole.zarr", tmp_path / "part.zarr"
    make(whole)
    with pytest.raises(KeyboardInterrupt):
        make(part, model=stopped(day, KeyboardInterrupt()))
    assert not part.exists()
    make(part)
    assert same_files(whole, part)
    assert {path.name for path in tmp_path.iterdir()} == {"whole.zarr", "part.zarr"}


@pytest.mark.usefixtures("small")
def test_chunks_are_written_once_they_are_full(tmp_path: Path) -> None:
    hourly = Span("2000-02-27", days=12, spin_up_days=1, interval_hours=1, seed=0)
    make(tmp_path / "whole.zarr", hourly)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "part.zarr", hourly, stopped(9, KeyboardInterrupt()))
    inside = tmp_path / "part.zarr.partial" / "store.zarr" / "temperature" / "c"
    assert [path.name for path in inside.iterdir()] == ["0"]
    make(tmp_path / "part.zarr", hourly, stopped(9, KeyboardInterrupt()))  # seven days are left
    assert same_files(tmp_path / "whole.zarr", tmp_path / "part.zarr")


@pytest.mark.usefixtures("small")
def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "whole.zarr")
    full = OSError(errno.ENOSPC, "No space left on device")

    def fail(*_: object) -> None:
        raise full

    with monkeypatch.context() as patch:
        patch.setattr(SimulationStore, "write", fail)
        with pytest.raises(OSError, match="No space"):
            make(tmp_path / "part.zarr")
    make(tmp_path / "part.zarr", model=stopped(3, AssertionError()))  # ten of twelve were kept
    assert same_files(tmp_path / "whole.zarr", tmp_path / "part.zarr")


@pytest.mark.usefixtures("small")
def test_another_store_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    with pytest.raises(KeyboardInterrupt):
        make(path, model=stopped(7, KeyboardInterrupt()))
    other = Span("2000-02-27", days=9, spin_up_days=3, interval_hours=6, seed=1)
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
        ({"spin_up_days": -1}, "--spin_up_days -1"),
        ({"seed": -1}, "--seed -1"),
        ({"interval_hours": 5}, "hours that divide a day"),
    ],
)
def test_mistakes_are_sentences(change: dict[str, Any], said: str) -> None:
    settings = {"start": "2000-01-01", "days": 1, "spin_up_days": 0, "interval_hours": 6}
    with pytest.raises(InputError, match=said):
        Span(**{"seed": 0, **settings, **change})


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


SOURCES = {"gaussian": Grid(GAUSSIAN, np.arange(24) * 15.0), "fine": equiangular(48, 90)}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
@pytest.mark.parametrize("target", [equiangular(32, 64), equiangular(7, 10)], ids=["up", "down"])
@given(seed=st.integers(0, 9))
def test_regridding_conserves(source: Grid, target: Grid, seed: int) -> None:
    regrid = Conservative(source, target)
    np.testing.assert_allclose(regrid(np.full((2, *source.shape), 3.0)), 3, rtol=1e-12)
    maps = np.random.default_rng(seed).normal(size=(2, *source.shape))
    there = regrid(maps)
    for before, after in zip(_means(maps, source), _means(there, target), strict=True):
        assert before == pytest.approx(after, abs=1e-12)
    assert (there.min() >= maps.min()) and (there.max() <= maps.max())


@given(turn=st.integers(0, 11))
def test_regridding_turns_with_the_globe(turn: int) -> None:
    source = SOURCES["gaussian"]
    regrid = Conservative(source, equiangular(16, 48))
    maps = np.random.default_rng(turn).normal(size=source.shape)
    turned = regrid(np.roll(maps, turn, -1))
    np.testing.assert_allclose(turned, np.roll(regrid(maps), 2 * turn, -1), atol=1e-12)
    mirrored = regrid(np.roll(maps[:, ::-1], 1, -1))  # at the meridian, the first cell's centre
    np.testing.assert_allclose(mirrored, np.roll(regrid(maps)[:, ::-1], 1, -1), atol=1e-12)


def test_means_over_small_cells_become_means_over_large_ones() -> None:
    def means(grid: Grid) -> Array:
        """Of sin(latitude) + cos(latitude) cos(longitude) over the cells."""
        edge = np.deg2rad(rows(grid))
        area = np.diff(np.sin(edge))
        north = np.diff(np.sin(edge) ** 2 / 2) / area
        near = np.diff(edge / 2 + np.sin(2 * edge) / 4) / area
        half = np.pi / grid.shape[1]
        around = np.cos(np.deg2rad(grid.longitude)) * np.sin(half) / half
        return np.asarray(north[:, None] + near[:, None] * around)

    source, target = equiangular(48, 96), equiangular(16, 32)
    np.testing.assert_allclose(Conservative(source, target)(means(source)), means(target))


def test_levels_are_exact_for_what_is_linear_in_the_logarithm_of_pressure() -> None:
    pressure = np.random.default_rng(0).uniform(9e4, 1.03e5, (3, 4, 5))
    layers = np.log(SIGMA[:, None, None] * pressure[:, None])
    levels = np.array([300, 500, 850])
    found = to_levels(7 - 2 * layers, SIGMA, pressure, levels)
    expected = 7 - 2 * np.log(100.0 * levels)[:, None, None] + 0 * pressure[:, None]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_beyond_the_layers_the_nearest_is_taken() -> None:
    values = np.random.default_rng(0).normal(size=(1, 4, 2, 2))
    found = to_levels(values, SIGMA, np.full((1, 2, 2), 1e5), np.array([100, 500, 800, 1000]))
    np.testing.assert_allclose(found, values, rtol=1e-12)


def test_below_the_ground_is_the_standard_atmosphere() -> None:
    """Columns that begin at any height give the same maps as the atmosphere without ground."""
    ground = np.array([[[0.0, 500.0, 1500.0, 4000.0]]])  # m
    power = GRAVITY / (DRY_AIR * LAPSE)

    def height(pressure: Array) -> Array:
        return np.asarray(288.15 / LAPSE * (1 - (pressure / 101325) ** (1 / power)))

    surface = 101325 * (1 - LAPSE * ground / 288.15) ** power
    layers = height(SIGMA[:, None, None] * surface[:, None])
    columns = Columns(
        geopotential=GRAVITY * layers,
        temperature=288.15 - LAPSE * layers,
        u_component_of_wind=layers,
        v_component_of_wind=layers,
        specific_humidity=layers,
        surface_pressure=surface,
        near_surface_temperature=288.15 - LAPSE * ground,
    )
    maps = columns.maps(SIGMA, np.array([1000, 1013]))  # beneath the lowest layer everywhere
    expected = np.broadcast_to(height(np.array([1e5, 101300]))[:, None, None], (1, 2, 1, 4))
    np.testing.assert_allclose(maps["geopotential"], GRAVITY * expected, atol=1e-6)
    np.testing.assert_allclose(maps["temperature"], 288.15 - LAPSE * expected, rtol=1e-12)
    np.testing.assert_allclose(maps["mean_sea_level_pressure"], 101325, rtol=1e-12)
    np.testing.assert_allclose(maps["u_component_of_wind"][:, 0], layers[:, -1], rtol=1e-12)


def _means(maps: Array, grid: Grid) -> Array:
    """(n,) means of maps over the sphere."""
    weight = np.diff(np.sin(np.deg2rad(rows(grid)))) / 2
    return np.asarray(maps.mean(-1) @ weight)


@pytest.mark.slow
def test_the_real_model_goes_on_as_if_never_stopped() -> None:
    pytest.importorskip("jcm")
    span = Span("2000-01-01", days=1, spin_up_days=0, interval_hours=6, seed=3)
    whole = speedy.Speedy(span.begin(), 6, span.seed)
    whole.advance()
    kept, second = whole.state(), whole.advance()
    assert whole.grid.shape == (48, 96)
    assert second.temperature.shape == (4, 8, 48, 96)
    assert 200 < second.temperature.mean() < 300
    again = speedy.Speedy(span.begin(), 6, span.seed)
    again.restore(kept)
    for name, values in vars(again.advance()).items():
        np.testing.assert_array_equal(values, getattr(second, name), err_msg=name)
