"""Truth ensembles: members that start from kept states of a simulated store."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import weather
from refine_core.app.cli import main
from refine_core.errors import InputError
from tests.weather.io.test_forecast_store import same_files
from tests.weather.waves import Waves
from weather.simulation import speedy
from weather.simulation.pressure_levels import Columns
from weather.simulation.run import SimulationSettings, simulate
from weather.simulation.truth_ensemble import (
    EnsembleSettings,
    SimulatedStore,
    simulate_ensemble,
)

MODEL = "waves 1.0"
SETTINGS = SimulationSettings("2000-02-27", days=12, spin_up_days=1, interval_hours=6, seed=0)
ENSEMBLE = EnsembleSettings(members=3, days=2, perturbation=1e-3, seed=0)
KEPT = ["2000-02-29T18", "2000-03-03T18", "2000-03-06T18"]
"""Those kept every third day with two days of the store behind them."""


class Waves2(Waves):
    """A model that is perturbed by nothing."""

    def perturb(self, size: float, generator: np.random.Generator) -> None:
        pass


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("truth") / "truth.zarr"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("weather.simulation.run.SIZE", (8, 16))
        simulate(SETTINGS, MODEL, Waves, path, states_every=3, quiet=True)
    yield path


def make(
    truth: Path,
    out: Path,
    ensemble: EnsembleSettings = ENSEMBLE,
    model: Callable[..., Waves] = Waves,
    starts: tuple[str, ...] = (KEPT[0], KEPT[2]),
    **options: Any,
) -> xr.Dataset:
    options = {"workers": 1, **options}
    simulate_ensemble(truth, starts, ensemble, MODEL, model, out, quiet=True, **options)
    made: xr.Dataset = xr.open_zarr(out).load()
    return made


@pytest.fixture(scope="module")
def whole(truth: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "limit.zarr"
    make(truth, path)
    return path


def test_it_is_a_forecast_on_the_grid_and_with_the_variables_of_the_truth(
    truth: Path, whole: Path
) -> None:
    made, store = xr.open_zarr(whole).load(), xr.open_zarr(truth)
    assert dict(made.sizes) == {
        "time": 2, "number": 3, "prediction_timedelta": 9,
        "level": 4, "latitude": 8, "longitude": 16,
    }  # fmt: skip
    assert [str(t)[:13] for t in made["time"].values] == [KEPT[0], KEPT[2]]
    leads = made["prediction_timedelta"].values / np.timedelta64(6, "h")
    assert leads.tolist() == list(range(9))
    timed = {n for n, a in store.items() if "time" in a.dims}
    assert set(made) == timed
    for name in made:
        later = made[name].isel(prediction_timedelta=slice(1, None))
        assert np.isfinite(later).all()
        np.testing.assert_array_equal(later % store[name].attrs["quantum"], 0)
    assert np.isfinite(made["geopotential"]).all()
    assert np.isnan(made["total_precipitation_6hr"].isel(prediction_timedelta=0)).all()
    assert made.attrs["perturbation"] == 1e-3
    assert made.attrs["model"] == MODEL


def test_a_member_that_is_not_perturbed_is_the_truth(truth: Path, tmp_path: Path) -> None:
    made, store = make(truth, tmp_path / "a.zarr", model=Waves2), xr.open_zarr(truth).load()
    for name in made:
        for start in made["time"].values:
            one = made[name].sel(time=start, number=2)
            first = 1 if name == "total_precipitation_6hr" else 0
            one = one.isel(prediction_timedelta=slice(first, None))
            valid = start + one["prediction_timedelta"].values
            np.testing.assert_array_equal(one, store[name].sel(time=valid), err_msg=str(name))


def test_members_start_near_the_truth_and_part(truth: Path, whole: Path) -> None:
    made = xr.open_zarr(whole)["geopotential"].sel(level=500).load()
    spread = made.std("number").mean(("time", "latitude", "longitude")).values
    assert 0 < spread[1] < 0.2 * spread[-1]
    assert not made.isel(time=0, number=0).equals(made.isel(time=1, number=0))


def test_a_member_is_a_function_of_seed_start_and_number(
    truth: Path, whole: Path, tmp_path: Path
) -> None:
    first = xr.open_zarr(whole).load()
    few = replace(ENSEMBLE, members=2)
    made = make(truth, tmp_path / "a.zarr", few, starts=(KEPT[1], KEPT[2]))
    pick = {"number": [0, 1]}
    xr.testing.assert_equal(made.isel(time=1), first.sel(pick).isel(time=1))
    other = make(truth, tmp_path / "b.zarr", replace(ENSEMBLE, seed=1))
    assert not other["temperature"].equals(first["temperature"])


def test_workers_do_not_change_it(truth: Path, whole: Path, tmp_path: Path) -> None:
    make(truth, tmp_path / "limit.zarr", workers=2)
    assert same_files(whole, tmp_path / "limit.zarr")


def test_a_stopped_run_goes_on_by_members(truth: Path, whole: Path, tmp_path: Path) -> None:
    class Stopped(Waves):
        def advance(self) -> Columns:
            if self.days == 5:  # in the third member
                raise KeyboardInterrupt
            return super().advance()

    class Counted(Waves):
        made: list["Counted"] = []

        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.made.append(self)

    out = tmp_path / "limit.zarr"
    with pytest.raises(KeyboardInterrupt):
        make(truth, out, model=Stopped)
    assert not out.exists()
    with pytest.raises(InputError, match="part of another forecast"):
        make(truth, out, replace(ENSEMBLE, perturbation=0.01))
    make(truth, out, model=Counted)
    assert Counted.made[0].days == 2 * (6 - 2)
    assert same_files(whole, out)
    assert {path.name for path in tmp_path.iterdir()} == {"limit.zarr"}


def test_it_is_the_limit_of_a_forecast(truth: Path, whole: Path) -> None:
    made = xr.open_zarr(whole).load()
    report = weather.verify(
        made.isel(number=[0, 1]), xr.open_zarr(truth), limit=made, lead_days=(1, 2)
    )
    assert report["limit"] is not None
    table = report["limit"]["multiples"]["forecast"]["geopotential_500"][report["regions"][0]]
    assert all(value is not None and value > 0 for value in table["rmse"]["value"])


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (("2000-02-29T18", "2000-02-29"), KEPT[:1]),
        (("2000-03-06", "2000-02-29T18Z"), [KEPT[0], KEPT[2]]),
        (("2/2000-02-27/2000-03-06",), [KEPT[0], KEPT[2]]),
        (("3/2000-02-29/2000-12-31",), KEPT),
        (("1/2000-03-01/2000-03-04",), KEPT[1:2]),
    ],
)
def test_starts_are_times_days_or_a_count_in_a_period(
    truth: Path, wanted: tuple[str, ...], found: list[str]
) -> None:
    times = SimulatedStore.open(truth, MODEL).choose(wanted, 2)
    assert [str(time)[:13] for time in times] == found


@pytest.mark.parametrize(
    ("wanted", "days", "said"),
    [
        ((), 2, "Found no --starts, expected times of states between 2000-02-29T18 and"),
        (("2000-03-01",), 2, "the nearest is of 2000-02-29T18 or 2000-03-03T18"),
        (("2000-03-06T00",), 2, "no state is kept there"),
        (("2000-03-09",), 2, "no state is kept there that is early enough"),
        (("4/2000-02-27/2000-03-06",), 2, "but 3 states are kept in that period"),
        (("0/2000-02-27/2000-03-06",), 2, "expected a count, a first and a last day"),
        (("2000-02-27/2000-03-06/24h",), 2, "expected a count, a first and a last day"),
        (("8/2000/x",), 2, "expected one of UTC"),
        (("noon",), 2, "Found the time 'noon'"),
        (("2000-02-29",), 11, "up to 2000-02-27T18: give fewer --days"),
    ],
)
def test_starts_that_are_none_are_sentences(
    truth: Path, wanted: tuple[str, ...], days: int, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        SimulatedStore.open(truth, MODEL).choose(wanted, days)


def test_other_stores_are_sentences(truth: Path, whole: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="was not made by `refine weather simulate`"):
        make(whole, tmp_path / "a.zarr")
    with pytest.raises(InputError, match="simulated by waves 1.0, found waves 2.0"):
        SimulatedStore.open(truth, "waves 2.0")
    with pytest.raises(InputError, match="is not there"):
        make(tmp_path / "none.zarr", tmp_path / "a.zarr")
    with pytest.raises(InputError, match="exists: choose another name"):
        make(truth, whole)
    with pytest.raises(InputError, match="holds the truth"):
        make(truth, truth, overwrite=True)
    moved = tmp_path / "moved.zarr"
    moved.symlink_to(truth)
    with pytest.raises(InputError, match="no kept states in .*moved.zarr.states: simulate"):
        make(moved, tmp_path / "a.zarr")


def test_a_damaged_state_is_named(truth: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved.zarr"
    moved.symlink_to(truth)
    (tmp_path / "moved.zarr.states").mkdir()
    (tmp_path / "moved.zarr.states" / f"{KEPT[0]}.npz").write_bytes(b"PK\x03\x04 no longer one")
    with pytest.raises(InputError, match="2000-02-29T18.npz is damaged: start from another"):
        make(moved, tmp_path / "a.zarr", starts=(KEPT[0],))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"members": 1}, "Found --members 1, expected 2 or more"),
        ({"perturbation": 0.0}, "--perturbation 0.0"),
        ({"perturbation": 1.5}, "a share between 0 and 1"),
        ({"days": 0}, "Found --days 0"),
        ({"seed": -1}, "--seed -1"),
    ],
)
def test_settings_out_of_range_are_sentences(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        replace(ENSEMBLE, **change)


def test_the_command(
    truth: Path,
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(speedy, "name", lambda: MODEL)
    monkeypatch.setattr(speedy, "Speedy", Waves)
    monkeypatch.chdir(tmp_path)
    words = ["weather", "simulate", "--truth", str(truth), "--members", "3", "--days", "2"]
    words += ["--perturbation", ".001", "--workers", "1", "--starts"]
    main([*words, "2/2000-02-27/2000-03-06"])
    assert "truth ensemble: limit.zarr" in capsys.readouterr().out
    assert same_files(whole, tmp_path / "limit.zarr")
    for change, said in (
        (["--levels", "500"], "Found --levels beside --truth"),
        (["--spin-up-days", "3", "--start", "2001-01-01"], "--start, --spin-up-days beside"),
    ):
        with pytest.raises(SystemExit):
            main([*words, KEPT[0], *change, "--out", "b.zarr"])
        assert said in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["weather", "simulate", "--members", "3"])
    assert "without --truth: give the simulated store" in capsys.readouterr().err


@pytest.mark.slow
def test_the_real_model_is_perturbed_but_for_zonal_means() -> None:
    pytest.importorskip("jcm")
    model = speedy.Speedy(np.datetime64("2000-01-01"), 6, 0)
    model.advance()
    state, before = model.state(), model.now()
    model.perturb(0.01, np.random.default_rng(0))
    after = model.now()
    model.restore(state)
    assert np.isnan(after.precipitation).all()
    weight = np.cos(np.deg2rad(model.grid.latitude))[:, None]
    for name in ("temperature", "geopotential", "specific_humidity", "u_component_of_wind"):
        one, other = getattr(before, name)[0], getattr(after, name)[0]
        assert one.shape == (8, 48, 96)
        change = np.sqrt((weight * (other - one) ** 2).mean((1, 2)))
        scale = np.sqrt((weight * (one - one.mean((1, 2), keepdims=True)) ** 2).mean((1, 2)))
        assert (change > 0).all()
        assert (change < 0.05 * scale).all()
    for values in ("temperature", "surface_pressure"):
        zonal, changed = (np.log(getattr(each, values)).mean(-1) for each in (before, after))
        np.testing.assert_allclose(zonal, changed, atol=1e-4)
    change = np.std(after.surface_pressure - before.surface_pressure)
    assert 1 < change < 30  # Pa; that of pressure with its mountains would be 60
    np.testing.assert_array_equal(after.near_surface_temperature, before.near_surface_temperature)
