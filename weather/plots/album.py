"""All pictures of a forecast, one after the other."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from refine_core.errors import InputError
from weather.fields.arrays import Leads
from weather.fields.channel import Channel
from weather.fields.labels import importance, leads_to_show
from weather.io.forecasts import chosen_leads
from weather.plots.field import Field, lead_name
from weather.plots.figure import house_style
from weather.plots.forecast_run import Run
from weather.plots.map.extent import chosen_view
from weather.plots.map.wrapped_grid import Surface
from weather.plots.maps import draw_animation, draw_maps
from weather.plots.members import check_contours, draw_spaghetti, draw_stamps
from weather.plots.meteogram import draw_meteogram, grid_point, uncertain_point
from weather.plots.spectra import draw_spectra, row_weights

KINDS = ("maps", "stamps", "spaghetti", "spectra", "animation", "meteogram")
USUAL = ("geopotential_500", "2m_temperature")
"""Channels that are drawn unless others are asked for."""
ONCE = ("spaghetti", "animation")
"""Kinds of which only the first of the usual channels is drawn."""
DAYS, METEOGRAMS = (1.0, 3.0, 5.0, 10.0), 6
"""Lead times on a sheet, and how many variables in a meteogram, unless others are asked for."""


@dataclass(frozen=True)
class Wanted:
    """What is asked for; what is left out is chosen to suit the forecast.

    Args:
        kinds: Of `KINDS`; none stands for all that the grid admits.
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


class Album:
    """The pictures of a run; what is asked for is checked before anything is drawn.

    Args:
        run: The forecast.
        wanted: What to draw.
        out: Folder.

    Raises:
        InputError: There is no such lead time, view or point, or the folder cannot be written.
    """

    def __init__(self, run: Run, wanted: Wanted, out: Path) -> None:
        self._run, self._wanted, self._out = run, wanted, out
        around = Surface(run.grid).around
        self._kinds = wanted.kinds or [kind for kind in KINDS if around or kind != "spectra"]
        usual = [c for c in run.channels if c.name in USUAL] or run.channels[:1]
        self._channels = list(run.channels) if wanted.named else usual
        leads = chosen_leads(run.leads, wanted.leads, run.name)
        days = [float(lead / np.timedelta64(1, "D")) for lead in leads]
        usual_days = [days.index(day) for day in DAYS if day in days]
        few = usual_days if len(usual_days) == len(DAYS) else leads_to_show(days, len(DAYS))
        self._leads: Leads = leads if wanted.leads else leads[few]
        if not len(leads):
            raise InputError(f"{run.name} has no lead time after its start: give --leads 0.")
        area = (wanted.latitudes, wanted.longitudes)
        self._view = chosen_view(run.grid, wanted.view, *area, usual="globe")
        self._hemisphere = chosen_view(run.grid, wanted.view, *area, usual="north")
        self._point = None if wanted.point is None else grid_point(run.grid, wanted.point)
        self._latitudes = wanted.latitudes or (-90.0, 90.0)
        if "spectra" in self._kinds:
            row_weights(run.grid, self._latitudes)
        check_contours(wanted.contours)
        _check_folder(out)

    def draw(self) -> Iterator[Path]:
        """Draw every picture; yields its path."""
        for channel in self._channels:
            first = self._wanted.named or channel == self._channels[0]
            for kind, name, make in self._plans(self._run.field(channel)):
                if kind in self._kinds and (first or kind not in ONCE):
                    with house_style():
                        make(self._out / name)
                    yield self._out / name
        if "meteogram" in self._kinds:
            yield self._meteogram()

    def _plans(self, field: Field) -> Iterator[tuple[str, str, Callable[[Path], None]]]:
        """Kind, file name and maker of each picture of a channel."""
        name, leads, wanted = field.channel.name, self._leads, self._wanted
        yield "maps", f"maps_{name}.png", partial(draw_maps, field, leads, self._view)
        for lead in leads if wanted.leads else leads[-1:]:
            file = f"stamps_{name}_{lead / np.timedelta64(1, 'h'):g}h.png"
            yield "stamps", file, partial(draw_stamps, field, lead, self._view)
        spaghetti = partial(draw_spaghetti, field, leads, self._hemisphere, wanted.contours)
        yield "spaghetti", f"spaghetti_{name}.png", spaghetti
        spectra = partial(draw_spectra, field, leads, self._latitudes)
        yield "spectra", f"spectra_{name}.png", spectra
        animation = partial(draw_animation, field, field.leads, self._view)
        yield "animation", f"animation_{name}.gif", animation

    def _meteogram(self) -> Path:
        """The meteogram of all channels, most of which are not drawn otherwise."""
        run = self._run
        point, reason = self._point, f"nearest to {self._wanted.point}"
        if point is None:
            field, lead = run.field(self._channels[0]), self._leads[-1]
            point = uncertain_point(field, lead)
            reason = f"where members differ most in {field.display.name} at {lead_name(lead)}"
        chosen = run.channels if self._wanted.named else meteogram_channels(run.channels)
        fields = [run.field(channel, keep=False) for channel in chosen]
        path = self._out / "meteogram.png"
        with house_style():
            draw_meteogram(fields, point, reason, path)
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
    return sorted(found.values(), key=lambda c: c.level is not None)[:METEOGRAMS]


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
