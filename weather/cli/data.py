"""The commands that make data: `refine weather simulate`, `prepare` and `sample`."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from refine_core.app.outputs import OutputFolder, output_file
from refine_core.app.report import Column, table
from refine_core.config.ranges import NonNegativeInt, PositiveInt
from refine_core.errors import InputError
from refine_core.storage.files import atomic_write
from weather.config import WeatherConfig

if TYPE_CHECKING:
    from weather.data.prepared import Prepared


def simulate(
    start: str = "2000-01-01",
    days: PositiveInt = 1461,
    spin_up_days: NonNegativeInt = 180,
    interval_hours: PositiveInt = 6,
    seed: int = 0,
    levels: tuple[PositiveInt, ...] = (250, 500, 700, 850),
    states_every: NonNegativeInt = 0,
    out: Annotated[Path, output_file(".zarr")] = Path("gcm_64x32.zarr"),
    overwrite: bool = False,
) -> None:
    """Simulate training data offline with the general circulation model JCM.

    The atmosphere is global: SPEEDY physics at T31, on a grid of 64 x 32 cells. A stopped run goes
    on where it was when the same command is given again, and ends with the same store.
    A simulated day takes about a second.

    Args:
        start: First day of the store.
        days: Number of days in the store.
        spin_up_days: Simulated before the first day, from rest, and dropped.
        interval_hours: Hours between maps.
        seed: Seed of the disturbance of the atmosphere at rest.
        levels: Pressure levels, in hPa, ascending.
        states_every: Days after which the state of the model is kept, beside the store; 0 keeps
            none.
        out: The store, ends in .zarr.
        overwrite: Whether an existing store is replaced.
    """
    from weather.simulation.run import SimulationSettings, simulate
    from weather.simulation.speedy import STEP_MINUTES, Speedy, version

    settings = SimulationSettings(start, days, spin_up_days, interval_hours, seed, levels)
    model = f"jcm {version()}, SPEEDY physics, T31, 8 layers, steps of {STEP_MINUTES} min"
    simulate(settings, model, Speedy, out, states_every=states_every, overwrite=overwrite)
    print(f"simulation: {out}")


def prepare(config: WeatherConfig) -> None:
    """Check the data of a config and make them ready for training.

    Args:
        config: The configuration of data, model and training.
    """
    from weather.data.preparation import prepare
    from weather.data.time_parts import PARTS

    made = prepare(config.data)
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
    from weather.fields.grid import parse_grid
    from weather.io.canonical import canonical, grid_of
    from weather.io.files import open_files
    from weather.io.regridding import regrid_file
    from weather.model import MODELS, load

    if bool(grid) == bool(like):
        raise InputError("Give one of --grid and --like: the new grid, or what is on it.")
    if grid:
        wanted = parse_grid(grid)
    elif like in MODELS.names() or Path(like).suffix == ".safetensors":
        wanted = load(like).grid
    else:
        wanted = grid_of(canonical(open_files(like)))
    regrid_file(source, wanted, out, overwrite=overwrite)
    print(f"regridded: {out}")


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
