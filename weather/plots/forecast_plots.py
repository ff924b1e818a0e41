"""All pictures of a forecast, one after the other."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr

from refine_core.app.figures import house_style
from refine_core.errors import InputError, suggest
from weather.fields.arguments import several
from weather.fields.arrays import Leads
from weather.fields.channel import Channel
from weather.fields.labels import importance, leads_to_show
from weather.fields.times import AnyTime
from weather.io.files import open_given
from weather.io.forecasts import chosen_leads
from weather.plots.forecast_field import ForecastField, lead_name
from weather.plots.forecast_run import ForecastRun, speed_name
from weather.plots.map.extent import choose_view
from weather.plots.map.wrapped_grid import WrappedGrid
from weather.plots.maps import plot_animation, plot_maps
from weather.plots.members import check_level_count, plot_spaghetti, plot_stamps
from weather.plots.meteogram import grid_point, most_uncertain_point, plot_meteogram
from weather.plots.probabilities import Event, plot_probabilities
from weather.plots.spectra import plot_spectra, row_weights
from weather.plots.wind import WindFields, plot_wind, usual_wind, wind_pairs

KINDS = (
    *("maps", "stamps", "spaghetti", "probabilities"),
    *("spectra", "animation", "wind", "meteogram"),
)
DEFAULT_CHANNELS = ("geopotential_500", "2m_temperature")
FIRST_CHANNEL_ONLY = ("spaghetti", "animation")
"""Kinds of which there is one picture, of the first channel, unless variables are asked for."""
DEFAULT_DAYS, MOST_IN_METEOGRAM = (1.0, 3.0, 5.0, 10.0), 6
"""Lead times in a figure, and the number of variables in a meteogram, unless asked for."""


@dataclass(frozen=True)
class PlotRequest:
    """Which pictures to make; what is left out is chosen to suit the forecast.

    Args:
        kinds: Of `KINDS`; by default all that the grid allows.
        named: Whether the run's variables were asked for by name.
        leads: Lead times in days.
        point: Latitude and longitude of the meteogram.
        view: globe, north or south.
        latitudes: Southernmost and northernmost.
        longitudes: Westernmost and easternmost.
        contours: Values of the spaghetti, in the units shown.
        above: Values that probabilities are to be above, in the units shown.
        below: Likewise, to be below.
    """

    kinds: Sequence[str] = ()
    named: bool = False
    leads: Sequence[float] = ()
    point: tuple[float, float] | None = None
    view: str = ""
    latitudes: tuple[float, float] | None = None
    longitudes: tuple[float, float] | None = None
    contours: Sequence[float] = ()
    above: Sequence[float] = ()
    below: Sequence[float] = ()


def plot(
    forecast: str | Path | xr.Dataset,
    out: str | Path,
    *,
    kinds: str | Sequence[str] = (),
    variables: str | Sequence[str] = (),
    lead_days: float | Sequence[float] = (),
    time: AnyTime = "",
    truth: str | Path | xr.Dataset | None = None,
    history: str | Path | xr.Dataset | None = None,
    point: tuple[float, float] | None = None,
    view: str = "",
    above: float | Sequence[float] = (),
    below: float | Sequence[float] = (),
) -> list[Path]:
    """Plot a forecast as `refine weather plot` does: maps, members, probabilities, spectra.

    Args:
        forecast: A data set, or the path or URL of one, of any number of members.
        out: Folder for the pictures; those of that name that are there already are replaced.
        kinds: Of maps, stamps, spaghetti, probabilities, spectra, animation, wind and meteogram;
            by default all that the forecast allows.
        variables: Such as geopotential, z500 or 2m_temperature; by default z500 and 2 m
            temperature, or the first.
        lead_days: By default up to four lead times.
        time: The initial time; by default the last, or the last that the truth covers.
        truth: What happened, on the same grid, to be plotted beside it.
        history: States of earlier years; maps show anomalies from them.
        point: Latitude and longitude of the meteogram; by default where members differ most.
        view: globe, north or south.
        above: Values that probabilities are to be above, in the unit of the picture.
        below: Likewise, to be below.

    Returns:
        Paths of the pictures.

    Raises:
        InputError: Something cannot be read, or the forecast has no such variable, lead time or
            initial time, or does not allow such a picture.

    >>> from tempfile import TemporaryDirectory
    >>> import weather
    >>> from weather.samples import STATES
    >>> model = weather.load("gcm")
    >>> made = model.forecast(STATES, "2019-11-15", members=2, steps=1, workers=1)
    >>> with TemporaryDirectory() as out:
    ...     pictures = weather.plot(made, out, kinds="spectra", variables="z500", truth=STATES)
    >>> pictures[0].name
    'spectra_geopotential_500.png'
    """
    chosen: tuple[str, ...] = several(kinds)
    names: tuple[str, ...] = several(variables)
    for kind in chosen:
        if kind not in KINDS:
            near = suggest(str(kind), KINDS)
            raise InputError(f"Found picture {kind!r}, expected one of {', '.join(KINDS)}.{near}")
    if view not in ("", "globe", "north", "south"):
        raise InputError(f"Found the view {view!r}, expected globe, north or south.")
    happened, past = (
        None if given is None else open_given(given, what)
        for given, what in ((truth, "the truth"), (history, "the history"))
    )
    name = str(forecast) if isinstance(forecast, str | Path) else "forecast"
    made = open_given(forecast, "a forecast")
    run = ForecastRun(name, made, happened, names, time, past)
    request = PlotRequest(
        kinds=chosen,
        named=bool(names),
        leads=several(lead_days),
        point=point,
        view=view,
        above=several(above),
        below=several(below),
    )
    return list(ForecastPlots(run, request, Path(out)).plot())


class ForecastPlots:
    """The pictures of a run. The request is checked before anything is plotted.

    Args:
        run: The forecast.
        request: What to plot.
        out: Folder.

    Raises:
        InputError: There is no such lead time, view, point or wind, one member has no
            probabilities, or the folder cannot be written.
    """

    def __init__(self, run: ForecastRun, request: PlotRequest, out: Path) -> None:
        self._run, self._request, self._out = run, request, out
        self._winds = _winds(run, named=request.named)
        missing = _missing_kinds(run, self._winds)
        self._kinds = request.kinds or [kind for kind in KINDS if kind not in missing]
        for kind in self._kinds:
            if kind in missing:
                raise InputError(f"{missing[kind]}: choose other pictures with --kind.")
        usual = [c for c in run.channels if c.name in DEFAULT_CHANNELS] or run.channels[:1]
        self._channels = list(run.channels) if request.named else usual
        self._leads = _chosen_leads(run, request.leads)
        area = (request.latitudes, request.longitudes)
        self._view = choose_view(run.grid, request.view, *area, default="globe")
        self._members_view = choose_view(run.grid, request.view, *area, default="north")
        self._point = None if request.point is None else grid_point(run.grid, request.point)
        self._latitudes = request.latitudes or (-90.0, 90.0)
        if "spectra" in self._kinds:
            row_weights(run.grid, self._latitudes)
        check_level_count(request.contours)
        self._events = _events(request, len(self._channels))
        _check_folder(out)

    def plot(self) -> Iterator[Path]:
        """Make every picture; yields its path."""
        for channel in self._channels:
            first = self._request.named or channel == self._channels[0]
            for kind, name, make in self._pictures(self._run.field(channel)):
                if kind in self._kinds and (first or kind not in FIRST_CHANNEL_ONLY):
                    with house_style():
                        make(self._out / name)
                    yield self._out / name
        if "wind" in self._kinds:
            for u, v in self._winds:
                yield self._plot_wind(WindFields(self._run.field(u), self._run.field(v)))
        if "meteogram" in self._kinds:
            yield self._plot_meteogram()

    def _pictures(self, field: ForecastField) -> Iterator[tuple[str, str, Callable[[Path], None]]]:
        """Kind, file name and maker of each picture of a channel."""
        name, leads, request = field.channel.name, self._leads, self._request
        yield "maps", f"maps_{name}.png", partial(plot_maps, field, leads, self._view)
        for lead in leads if request.leads else leads[-1:]:
            file = f"stamps_{name}_{lead / np.timedelta64(1, 'h'):g}h.png"
            yield "stamps", file, partial(plot_stamps, field, lead, self._members_view)
        spaghetti = partial(plot_spaghetti, field, leads, self._members_view, request.contours)
        yield "spaghetti", f"spaghetti_{name}.png", spaghetti
        events = partial(plot_probabilities, field, leads, self._view, self._events)
        yield "probabilities", f"probabilities_{name}.png", events
        if request.kinds or field.is_complete:
            spectra = partial(plot_spectra, field, leads, self._latitudes)
            yield "spectra", f"spectra_{name}.png", spectra
        animation = partial(plot_animation, field, field.leads, self._view)
        yield "animation", f"animation_{name}.gif", animation

    def _plot_wind(self, fields: WindFields) -> Path:
        level = fields.u.channel.level
        path = self._out / f"wind_{'10m' if level is None else level}.png"
        with house_style():
            plot_wind(fields, self._leads, self._view, path)
        return path

    def _plot_meteogram(self) -> Path:
        """Plot the meteogram of several channels, most of which are in no other picture."""
        run = self._run
        point, reason = self._point, f"nearest to {self._request.point}"
        if point is None:
            field, lead = run.field(self._channels[0]), self._leads[-1]
            point = most_uncertain_point(field, lead)
            reason = f"where members differ most in {field.display.name} at {lead_name(lead)}"
            if field.is_single:
                reason = f"where the forecast changes most in {field.display.name}"
        chosen = run.channels if self._request.named else meteogram_channels(run.channels)
        fields = [run.field(channel, load=False) for channel in chosen]
        path = self._out / "meteogram.png"
        with house_style():
            plot_meteogram(fields, point, reason, path)
        return path


def meteogram_channels(channels: Sequence[Channel]) -> list[Channel]:
    """One channel a variable, the best known or the lowest; those of the surface first.

    Winds are shown by their speed.

    >>> upper = [Channel("temperature", 500), Channel("temperature", 850)]
    >>> [c.name for c in meteogram_channels([*upper, Channel("2m_temperature")])]
    ['2m_temperature', 'temperature_850']
    """
    variables = {c.variable for c in channels}
    shown = [c for c in channels if not (c.is_wind and speed_name(c.variable) in variables)]
    found: dict[str, Channel] = {}
    for channel in sorted(shown, key=lambda c: (_importance(c), -(c.level or 0))):
        found.setdefault(channel.variable, channel)
    return sorted(found.values(), key=lambda c: c.level is not None)[:MOST_IN_METEOGRAM]


def _importance(channel: Channel) -> int:
    """Rank of a channel; the speed of a wind has that of its components."""
    return importance(channel.name.replace("wind_speed", "u_component_of_wind"))


def _missing_kinds(run: ForecastRun, winds: Sequence[object]) -> dict[str, str]:
    """The kinds of pictures that a forecast does not allow, and why."""
    missing = {}
    if not WrappedGrid(run.grid).is_global:
        missing["spectra"] = "The forecast does not go around the globe, which spectra need"
    if run.forecast.sizes["number"] < 2:
        for kind in ("probabilities", "stamps"):
            missing[kind] = f"{run.name} has one member, but {kind} need two or more"
    if not winds:
        missing["wind"] = f"{run.name} has no wind with both components among what is chosen"
    return missing


def _events(request: PlotRequest, channels: int) -> list[Event]:
    """The events of the probabilities.

    Raises:
        InputError: There are several channels, but a value has the unit of one.
    """
    events = [Event(False, value) for value in request.below]
    events += [Event(True, value) for value in request.above]
    if events and channels > 1:
        raise InputError(
            f"Found --above or --below with {channels} variables, expected one, as values are in "
            "its unit: choose it with --variable."
        )
    return events


def _winds(run: ForecastRun, *, named: bool) -> list[tuple[Channel, Channel]]:
    """Components of the winds to plot: that of `USUAL_LEVELS`, or those with a part asked for."""
    pairs = wind_pairs(run.offered)
    if not named:
        return usual_wind(pairs)
    chosen = {(speed_name(c.variable), c.level) for c in run.channels}
    return [(u, v) for u, v in pairs if (speed_name(u.variable), u.level) in chosen]


def _chosen_leads(run: ForecastRun, wanted: Sequence[float]) -> Leads:
    """The lead times asked for; by default `DEFAULT_DAYS`, or as many spread over the forecast."""
    leads = chosen_leads(run.leads, wanted, run.name)
    if not len(leads):
        raise InputError(f"{run.name} has no lead time after its start: give --leads 0.")
    if wanted:
        return leads
    days = [float(lead / np.timedelta64(1, "D")) for lead in leads]
    usual = [days.index(day) for day in DEFAULT_DAYS if day in days]
    count = len(DEFAULT_DAYS)
    return leads[usual if len(usual) == count else leads_to_show(days, count)]


def _check_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise InputError(
            f"Found --out {out}, which cannot be written ({error.strerror}), expected a folder: "
            "choose another."
        ) from None
