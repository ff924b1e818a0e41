"""The commands on forecasts: `refine weather forecast`, `verify` and `plot`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from refine_core.app.outputs import OutputFolder, output_file
from refine_core.app.processes.workers import Workers
from refine_core.app.progress import say
from refine_core.config.ranges import OneOrMore, PositiveInt, ShareBelowOne
from refine_core.errors import InputError, suggest
from weather.fields.regions import REGIONS
from weather.samples import STATES

if TYPE_CHECKING:
    import xarray as xr

    from refine_core.app.html import Block
    from weather.verification.report import VerificationReport

MAPPED = 3
"""Variables of which report.html has maps."""

Picture = Literal[
    "all",
    "maps",
    "stamps",
    "spaghetti",
    "probabilities",
    "spectra",
    "animation",
    "wind",
    "meteogram",
]


def forecast(
    model: str = "gcm",
    init: str = str(STATES),
    time: tuple[str, ...] = (),
    members: PositiveInt = 50,
    lead_days: float = 10.0,
    seed: int = 0,
    uncorrected: bool = False,
    batch: PositiveInt = 25,
    workers: Workers = "auto",
    chunks: tuple[str, ...] = (),
    precision: ShareBelowOne = 0.0,
    layout: Literal["weatherbench2", "weatherbench-x"] = "weatherbench2",
    out: Annotated[Path, output_file(".zarr", ".nc")] = Path("forecast.zarr"),
    overwrite: bool = False,
) -> None:
    """Roll an ensemble forward from states in a file, and write it as Zarr or netCDF.

    A stopped run goes on where it was, and ends with the same forecast. Lead 0 is the initial
    state.

    Args:
        model: A shipped model's name, a run's folder or a file.
        init: Path or URL of initial states: Zarr, netCDF or GRIB. Of an ensemble of states, along
            number or the like, each member starts from its own. By default those that ship with
            Refine, for the model gcm.
        time: Initial times, e.g. 2019-11-01T00; by default the last in the file. Two times and a
            step, as 2019-11-01/2019-11-11/48h, stand for all between.
        members: Number of members of the ensemble.
        lead_days: Length of the forecast.
        seed: Seed of the ensemble; member m depends on it, on the initial time and on m only.
        uncorrected: Whether to leave out what calibration fitted, to see what it is worth.
        batch: Number of members in memory at a time, rounded up to whole groups.
        workers: Processes that share the members; auto is one for each core where that pays.
        chunks: Lengths of the chunks along dimensions, as number=all lead=1 for maps of all
            members, or number=all latitude=8 longitude=8 for series at points. By default a chunk
            is a member, or a lead of one of more than a GiB, which suits a stop; along what is not
            named it is undivided, but for times and members.
        precision: Largest rounding error, as a share of each variable's standard deviation;
            rounded to .001 a file takes half the space. By default values are not rounded.
        layout: Whose names the dimensions have. WeatherBench-X has init_time and lead_time in
            place of time and prediction_timedelta; every command here reads both.
        out: A .zarr store, or a .nc file.
        overwrite: Whether an existing file is replaced.
    """
    from weather.forecast.initial_states import InitialStates
    from weather.forecast.run import steps_in, write_forecast
    from weather.io.forecast_layout import parse_chunks
    from weather.model import load

    lengths = parse_chunks(chunks)
    loaded = load(model)
    if uncorrected:
        loaded = loaded.uncorrected()
    steps = steps_in(lead_days, loaded.data.step_hours)
    initial = InitialStates.open(init, loaded)
    times = initial.choose(time)
    write_forecast(
        initial,
        times,
        out,
        members=members,
        steps=steps,
        seed=seed,
        batch=batch,
        workers=workers,
        chunks=lengths,
        precision=precision,
        layout=layout,
        overwrite=overwrite,
    )
    print(f"forecast: {out}")


def verify(
    forecast: str,
    /,
    truth: str,
    history: str | None = None,
    against: tuple[str, ...] = (),
    leads: tuple[float, ...] = (),
    variables: tuple[str, ...] = (),
    regions: OneOrMore[str] = tuple(REGIONS),
    mask: str | None = None,
    thresholds: tuple[str, ...] = (),
    limit: str | None = None,
    seed: int = 0,
    workers: Workers = "auto",
    out: OutputFolder = Path("verification"),
) -> None:
    """Measure a forecast against the truth, baselines and other forecasts.

    Writes metrics.json (what the tables show), metrics_all.json, REPORT.md, report.html and
    pictures, and prints the fair CRPS over the globe; with a limit also how many times that of the
    limit it and the RMSE are.

    Args:
        forecast: Path or URL of a forecast, of any number of members: ours, or in the layout of
            WeatherBench 2.
        truth: Path or URL of what happened.
        history: Path or URL of earlier states for climatology and dressed persistence; by default
            those of the truth. States later than 15 days before the first start are not used.
        against: Other forecasts to compare with, start by start, as name=path.
        leads: Lead times in days; by default all but the start's.
        variables: Such as geopotential or geopotential_500; by default all.
        regions: Parts of the globe by name, or as name=south,north,west,east in degrees; most
            tables and the pictures are of the first.
        mask: Shares of cells that count, as file:variable, such as data.nc:land_sea_mask; with
            1-variable the shares that do not. Where it is zero, numbers may be missing.
        thresholds: Values above which there is an event, as variable=value,value in SI units, such
            as z500=50000. Precipitation has some by default.
        limit: Path or URL of an ensemble of the perfect model; scores are given as multiples of
            its scores, too.
        seed: Seed of ties in ranks, of shuffled members and of the intervals.
        workers: Processes that share the starts; auto is one for each core where that pays.
        out: Folder for the report.
    """
    from weather.fields.thresholds import parse_thresholds
    from weather.io.files import open_files
    from weather.verification.report_writer import limit_tables, score_table, write_files
    from weather.verification.run import verify

    values = parse_thresholds(thresholds)
    area = None if mask is None else _mask(mask)
    name = Path(forecast.rstrip("/")).stem or "forecast"
    report = verify(
        forecast,
        truth,
        history,
        variables=variables,
        lead_days=leads,
        regions=regions,
        mask=area,
        thresholds=values,
        limit=limit,
        against=_others(against),
        seed=seed,
        name=name,
        workers=workers,
        quiet=False,
    )
    opened = open_files(forecast), open_files(truth)
    write_files(report, out, lambda: _maps(report, *opened, name, regions))
    for note in report["notes"]:
        say(f"note: {note}")
    main = report["regions"][0]
    print(f"Fair CRPS, {main}\n\n{score_table(report, 'crps_fair', main)}")
    if report["limit"] is not None:
        print(f"\n{limit_tables(report)}")
    print(f"\nreport: {out / 'REPORT.md'}")


def plot(
    forecast: str,
    /,
    kind: tuple[Picture, ...] = ("all",),
    variable: tuple[str, ...] = (),
    leads: tuple[float, ...] = (),
    time: str = "",
    truth: str | None = None,
    history: str | None = None,
    point: tuple[float, float] | None = None,
    view: Literal["globe", "north", "south"] | None = None,
    latitudes: tuple[float, float] | None = None,
    longitudes: tuple[float, float] | None = None,
    contours: tuple[float, ...] = (),
    above: tuple[float, ...] = (),
    below: tuple[float, ...] = (),
    out: OutputFolder = Path("pictures"),
) -> None:
    """Plot a forecast: maps, members, probabilities, wind, a meteogram, spectra, an animation.

    Prints the path of each picture; those of that name that are there already are replaced.

    Args:
        forecast: Path or URL of a forecast, ours or in WeatherBench 2's layout.
        kind: Which pictures; all leave out what the forecast does not allow: spectra of a part of
            the globe, stamps and probabilities of one member, wind without both components.
        variable: Such as geopotential, wind_speed_850 or 2m_temperature; by default
            geopotential_500 and 2m_temperature, or the first of the file, and six in the
            meteogram.
        leads: Lead times in days; by default up to four, the last of them for the stamps. The
            meteogram and the animation show all.
        time: Initial time, e.g. 2019-11-01T00; by default the last in the file, or the last that
            the truth covers.
        truth: Path or URL of what happened, on the same grid, to be plotted beside it.
        history: Path or URL of states of earlier years, on the same grid. They make a climatology:
            maps show anomalies from it, probabilities are those of its extremes, and the
            meteogram shows its range.
        point: Latitude and longitude of the meteogram; by default where members differ most.
        view: What maps show: by default the globe, and the north of it for spaghetti and stamps.
        latitudes: South and north end of maps, e.g. 30 75, and of the rows in the spectra.
        longitudes: West and east end of maps, e.g. -30 45.
        contours: Values of the spaghetti, in the unit of the picture: geopotential as height in
            dam, temperature in degrees Celsius, pressure in hPa.
        above: Values that the probabilities are to be above, in the unit of the picture; the
            default is the 90 % quantile of climatology, or a round value.
        below: Likewise, to be below.
        out: Folder for the pictures.
    """
    from weather.plots.forecast_plots import ForecastPlots, PlotRequest
    from weather.plots.forecast_run import ForecastRun

    run = ForecastRun.open(forecast, truth, variable, time, history)
    request = PlotRequest(
        kinds=() if "all" in kind else kind,
        named=bool(variable),
        leads=leads,
        point=point,
        view=view or "",
        latitudes=latitudes,
        longitudes=longitudes,
        contours=contours,
        above=above,
        below=below,
    )
    for path in ForecastPlots(run, request, out).plot():
        print(path, flush=True)


def _maps(
    report: "VerificationReport",
    forecast: "xr.Dataset",
    truth: "xr.Dataset",
    name: str,
    regions: Sequence[str],
) -> "list[Block]":
    """Maps of the last start that the truth covers, or why there are none."""
    from refine_core.app.html import Text
    from weather.fields.labels import best_known
    from weather.fields.regions import parse_region
    from weather.plots.forecast_run import ForecastRun
    from weather.plots.map_slider import forecast_slider

    shown = best_known(list(report["channels"]), MAPPED)
    try:
        run = ForecastRun(name, forecast, truth, shown)
        slider = forecast_slider(run, run.channels, [parse_region(each) for each in regions])
    except InputError as error:  # verification takes data that maps do not, such as masked ones
        return [Text(f"There are no maps: {error}")]
    return [slider]


def _mask(text: str) -> "xr.DataArray":
    """The mask of file:variable, or of file:1-variable.

    Raises:
        InputError: It has another form, or the file has no such variable.
    """
    from weather.fields.variables import long_name
    from weather.io.canonical import canonical
    from weather.io.files import open_files

    path, _, name = text.rpartition(":")
    if not (path and name):
        raise InputError(f"Found --mask {text!r}, expected file:variable.")
    dataset = canonical(open_files(path))
    variable = long_name(name.removeprefix("1-"), levels=False)
    if variable not in dataset:
        known = ", ".join(map(str, dataset.data_vars))
        raise InputError(
            f"{path} has no variable {variable!r}, it has {known}."
            f"{suggest(variable, map(str, dataset.data_vars))}"
        )
    return 1 - dataset[variable] if name.startswith("1-") else dataset[variable]


def _others(against: Sequence[str]) -> dict[str, str]:
    """Paths by name, of name=path each.

    Raises:
        InputError: One has another form, or a name stands twice.
    """
    found: dict[str, str] = {}
    for text in against:
        name, _, path = text.partition("=")
        if not (name and path):
            raise InputError(f"Found --against {text!r}, expected name=path.")
        if name in found:
            raise InputError(f"Found --against {' '.join(against)}: give each another name.")
        found[name] = path
    return found
