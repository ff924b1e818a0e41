"""The commands that make data: `refine weather simulate`, `prepare` and `sample`."""

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from refine_core.app.outputs import OutputFolder, output_file
from refine_core.app.processes.workers import Workers
from refine_core.app.report import Column, table
from refine_core.config.ranges import NonNegativeFloat, NonNegativeInt, OneOrMore, PositiveInt
from refine_core.errors import InputError
from refine_core.storage.files import atomic_write
from weather.config import WeatherConfig

if TYPE_CHECKING:
    from weather.data.prepared import Prepared
    from weather.fields.grid import Grid


def simulate(
    start: str = "2000-01-01",
    days: PositiveInt | None = None,
    spin_up_days: NonNegativeInt = 180,
    interval_hours: PositiveInt = 6,
    seed: int = 0,
    levels: OneOrMore[PositiveInt] = (250, 500, 700, 850),
    states_every: NonNegativeInt = 0,
    truth: Path | None = None,
    starts: tuple[str, ...] = (),
    members: NonNegativeInt = 0,
    perturbation: NonNegativeFloat = 0.01,
    workers: PositiveInt = 2,
    out: Annotated[Path | None, output_file(".zarr")] = None,
    overwrite: bool = False,
) -> None:
    """Simulate training data offline with the general circulation model JCM.

    The atmosphere is global: SPEEDY physics at T31, on a grid of 64 x 32 cells. A stopped run goes
    on where it was when the same command is given again, and ends with the same store.
    A simulated day takes about a second.

    With --truth and --members it simulates a truth ensemble: from kept states of a store, runs
    that start beside it, whose scores are the limit of predictability (`verify --limit`).

    Args:
        start: First day of the store.
        days: Number of days in the store, by default 1461; of an ensemble, in each member, by
            default 10.
        spin_up_days: Simulated before the first day, from rest, and dropped.
        interval_hours: Hours between maps.
        seed: Seed of the disturbance of the atmosphere at rest, or of the members.
        levels: Pressure levels, in hPa, ascending.
        states_every: Days after which the state of the model is kept, beside the store; 0 keeps
            none.
        truth: The simulated store that an ensemble starts from, with states that were kept.
        starts: Times or days of kept states, such as 2019-01-10; or a count and a period, such as
            8/2019-01-01/2019-12-31.
        members: Members from each start.
        perturbation: What each wave of the prognostic variables of a start is changed by, as a
            share of its size: a standard deviation. Zonal means stay.
        workers: Processes that simulate members; one process simulates a store.
        out: The store, ends in .zarr; by default gcm20.zarr, of an ensemble limit.zarr.
        overwrite: Whether an existing store is replaced.
    """
    if truth is not None or members or starts:
        of_store = {"start": start, "spin_up_days": spin_up_days, "levels": levels}
        of_store |= {"interval_hours": interval_hours, "states_every": states_every}
        _check_default(of_store)
        if truth is None:
            raise InputError(
                "Found --members or --starts without --truth: give the simulated store that "
                "members start from."
            )
        from weather.simulation.speedy import Speedy, name
        from weather.simulation.truth_ensemble import EnsembleSettings, simulate_ensemble

        out, ensemble = (
            out or Path("limit.zarr"),
            EnsembleSettings(members, days or 10, perturbation, seed),
        )
        simulate_ensemble(
            truth, starts, ensemble, name(), Speedy, out, workers=workers, overwrite=overwrite
        )
        print(f"truth ensemble: {out}")
    else:
        from weather.simulation.run import SimulationSettings, simulate
        from weather.simulation.speedy import Speedy, name

        out = out or Path("gcm20.zarr")
        settings = SimulationSettings(
            start, days or 1461, spin_up_days, interval_hours, seed, levels
        )
        simulate(settings, name(), Speedy, out, states_every=states_every, overwrite=overwrite)
        print(f"simulation: {out}")


def _check_default(options: Mapping[str, object]) -> None:
    """Refuse options of `simulate` that an ensemble takes from its store."""
    usual = inspect.signature(simulate).parameters
    changed = [n for n, value in options.items() if value != usual[n].default]
    if changed:
        words = ", ".join(f"--{name.replace('_', '-')}" for name in changed)
        raise InputError(
            f"Found {words} beside --truth, --members or --starts: members have the settings of "
            "their store, leave it out."
        )


def prepare(config: WeatherConfig, workers: Workers = "auto") -> None:
    """Check the data of a config and make them ready for training.

    Args:
        config: The configuration of data, model and training.
        workers: Processes that share the work; auto is one for each core where that pays.
    """
    from weather.data.preparation import prepare
    from weather.data.time_parts import PARTS

    made = prepare(config.data, workers=workers)
    columns = [Column(name, form=".5g") for name in ("field", "mean", "std", CHANGE)]
    print(table(columns, _statistics(made)), end="\n\n")
    for part in PARTS:
        days = " to ".join(getattr(made.config, part))
        print(f"{part}: {len(made.starts(part))} starts, {days}")
    print(f"folder: {made.folder}")


CHANGE = "change in a step"


def _statistics(made: "Prepared") -> Iterator[dict[str, object]]:
    """A row for each channel, forcing and static field; only channels change in a step."""
    known, config = made.statistics, made.config
    groups = [
        ([c.name for c in made.channels], known.mean, known.std, known.residual_std),
        (config.forcing, known.forcing_mean, known.forcing_std, None),
        (config.static, known.static_mean, known.static_std, None),
    ]
    for names, means, stds, changes in groups:
        for place, name in enumerate(names):
            yield {
                "field": name,
                "mean": float(means[place]),
                "std": float(stds[place]),
                CHANGE: None if changes is None else float(changes[place]),
            }


def regrid(
    source: str,
    /,
    grid: str = "",
    like: str = "",
    out: Annotated[Path, output_file(".zarr", ".nc")] = Path("regridded.zarr"),
    overwrite: bool = False,
) -> None:
    """Bring states or forecasts to another latitude-longitude grid, conserving means.

    The new file has the names of WeatherBench 2, SI units and ascending latitudes.

    Args:
        source: Path or URL of a Zarr store, netCDF or GRIB file on a regular grid, of the globe
            or a part of it.
        grid: Rows and columns of the new grid, such as 32x64; odd numbers of rows, as in 121x240,
            have a row at each pole.
        like: In place of a grid, a file that is on it, or a model.
        out: A .zarr store, or a .nc file.
        overwrite: Whether an existing file is replaced.
    """
    from weather.io.regridding import regrid_file

    wanted = chosen_grid(grid, like)
    regrid_file(source, wanted, out, overwrite=overwrite)
    print(f"regridded: {out}")


def chosen_grid(grid: str, like: str) -> "Grid":
    """The grid that is asked for by its numbers of rows and columns, or by what is on it.

    Raises:
        InputError: There is not one of both, or it cannot be read.
    """
    from refine_core.storage.pretrained import RESULT
    from weather.fields.grid import parse_grid
    from weather.io.canonical import canonical, grid_of
    from weather.io.files import open_files
    from weather.model import MODELS, load

    if bool(grid) == bool(like):
        raise InputError("Give one of --grid and --like: the new grid, or what is on it.")
    if grid:
        return parse_grid(grid)
    path = Path(like)
    if like in MODELS.names() or path.suffix == ".safetensors" or (path / RESULT).is_file():
        return load(like).grid
    return grid_of(canonical(open_files(like)))


def sample(out: OutputFolder = Path("sample")) -> None:
    """Copy the bundled sample out: netCDF files of simulated states.

    Args:
        out: Folder for the files.
    """
    import shutil

    from weather.samples import FOLDER, HISTORY, STATES

    paths = (STATES, HISTORY, FOLDER / "README.md")
    for path in paths:
        if (out / path.name).exists():
            raise InputError(f"{out / path.name} exists: choose another folder with --out.")
    for path in paths:
        with atomic_write(out / path.name) as temporary:
            shutil.copyfile(path, temporary)
        print(out / path.name)
