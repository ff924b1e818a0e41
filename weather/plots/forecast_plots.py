"""All pictures of a forecast, one after the other."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from refine_core.app.figures import house_style
from refine_core.errors import InputError
from weather.fields.arrays import Leads
from weather.fields.channel import Channel
from weather.fields.labels import importance, leads_to_show
from weather.io.forecasts import chosen_leads
from weather.plots.forecast_field import ForecastField, lead_name
from weather.plots.forecast_run import ForecastRun
from weather.plots.map.extent import choose_view
from weather.plots.map.wrapped_grid import WrappedGrid
from weather.plots.maps import plot_animation, plot_maps
from weather.plots.members import check_level_count, plot_spaghetti, plot_stamps
from weather.plots.meteogram import grid_point, most_uncertain_point, plot_meteogram
from weather.plots.spectra import plot_spectra, row_weights

KINDS = ("maps", "stamps", "spaghetti", "spectra", "animation", "meteogram")
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
    """

    kinds: Sequence[str] = ()
    named: bool = False
    leads: Sequence[float] = ()
    point: tuple[float, float] | None = None
    view: str = ""
    latitudes: tuple[float, float] | None = None
    longitudes: tuple[float, float] | None = None
    contours: Sequence[float] = ()


class ForecastPlots:
    """The pictures of a run. The request is checked before anything is plotted.

    Args:
        run: The forecast.
        request: What to plot.
        out: Folder.

    Raises:
        InputError: There is no such lead time, view or point, or the folder cannot be written.
    """

    def __init__(self, run: ForecastRun, request: PlotRequest, out: Path) -> None:
        self._run, self._request, self._out = run, request, out
        is_global = WrappedGrid(run.grid).is_global
        self._kinds = request.kinds or [k for k in KINDS if is_global or k != "spectra"]
        usual = [c for c in run.channels if c.name in DEFAULT_CHANNELS] or run.channels[:1]
        self._channels = list(run.channels) if request.named else usual
        self._leads = _chosen_leads(run, request.leads)
        area = (request.latitudes, request.longitudes)
        self._view = choose_view(run.grid, request.view, *area, default="globe")
        self._spaghetti_view = choose_view(run.grid, request.view, *area, default="north")
        self._point = None if request.point is None else grid_point(run.grid, request.point)
        self._latitudes = request.latitudes or (-90.0, 90.0)
        if "spectra" in self._kinds:
            row_weights(run.grid, self._latitudes)
        check_level_count(request.contours)
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
        if "meteogram" in self._kinds:
            yield self._plot_meteogram()

    def _pictures(self, field: ForecastField) -> Iterator[tuple[str, str, Callable[[Path], None]]]:
        """Kind, file name and maker of each picture of a channel."""
        name, leads, request = field.channel.name, self._leads, self._request
        yield "maps", f"maps_{name}.png", partial(plot_maps, field, leads, self._view)
        for lead in leads if request.leads else leads[-1:]:
            file = f"stamps_{name}_{lead / np.timedelta64(1, 'h'):g}h.png"
            yield "stamps", file, partial(plot_stamps, field, lead, self._view)
        spaghetti = partial(plot_spaghetti, field, leads, self._spaghetti_view, request.contours)
        yield "spaghetti", f"spaghetti_{name}.png", spaghetti
        spectra = partial(plot_spectra, field, leads, self._latitudes)
        yield "spectra", f"spectra_{name}.png", spectra
        animation = partial(plot_animation, field, field.leads, self._view)
        yield "animation", f"animation_{name}.gif", animation

    def _plot_meteogram(self) -> Path:
        """Plot the meteogram of several channels, most of which are in no other picture."""
        run = self._run
        point, reason = self._point, f"nearest to {self._request.point}"
        if point is None:
            field, lead = run.field(self._channels[0]), self._leads[-1]
            point = most_uncertain_point(field, lead)
            reason = f"where members differ most in {field.display.name} at {lead_name(lead)}"
        chosen = run.channels if self._request.named else meteogram_channels(run.channels)
        fields = [run.field(channel, load=False) for channel in chosen]
        path = self._out / "meteogram.png"
        with house_style():
            plot_meteogram(fields, point, reason, path)
        return path


def meteogram_channels(channels: Sequence[Channel]) -> list[Channel]:
    """One channel a variable, the best known or the lowest; those of the surface first.

    >>> upper = [Channel("temperature", 500), Channel("temperature", 850)]
    >>> [c.name for c in meteogram_channels([*upper, Channel("2m_temperature")])]
    ['2m_temperature', 'temperature_850']
    """
    found: dict[str, Channel] = {}
    for channel in sorted(channels, key=lambda c: (importance(c.name), -(c.level or 0))):
        found.setdefault(channel.variable, channel)
    return sorted(found.values(), key=lambda c: c.level is not None)[:MOST_IN_METEOGRAM]


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
