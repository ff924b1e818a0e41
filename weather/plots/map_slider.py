"""Maps of a forecast for a web page: small pictures, of which a slider shows one at a time.

A map is an equirectangular picture of few colours, computed without matplotlib, as a page holds
hundreds of them.
"""

import io
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from refine_core.app.html import Frame, Slider
from weather.fields.arrays import Array, Leads
from weather.fields.channel import Channel
from weather.fields.grid import Grid
from weather.fields.labels import channel_title, format_number
from weather.fields.regions import Region
from weather.metrics.ensemble import variance
from weather.plots.forecast_field import ForecastField, lead_name
from weather.plots.forecast_run import ForecastRun
from weather.plots.map.coastlines import coastlines_between
from weather.plots.map.colour_scale import ColourScale, difference_scale, spread_scale
from weather.plots.map.wrapped_grid import WrappedGrid

WIDTH, HIGHEST = 440, 330
"""Pixels of a map: its width, and its height at most."""
MEMBERS = 2
"""Members that are shown one by one."""
LEADS = (11, 6, 4, 2)
"""Numbers of lead times at most, until pictures have fewer than `BYTES` bytes."""
BYTES = 2_600_000
MAKERS: dict[str, Callable[[Array, ColourScale], ColourScale]] = {
    "spread": spread_scale,
    "error": difference_scale,
}
"""What makes the colours of maps that show no values."""
COAST, PAPER = (60, 60, 60), (255, 255, 255)


def forecast_slider(
    run: ForecastRun, channels: Sequence[Channel], regions: Sequence[Region]
) -> Slider:
    """Maps of the mean, the spread, members, the truth and the error, by lead time.

    Args:
        run: The forecast, with the truth if it is known.
        channels: Which of its channels.
        regions: Which parts of the globe.

    Raises:
        InputError: A file is damaged, or a map holds no number.
    """
    leads = _thinned(run.leads, LEADS[0])
    every: dict[tuple[str, ...], Frame] = {
        (channel_title(field.channel.name), *key): frame
        for field in map(run.field, channels)
        for key, frame in _frames(field, leads[np.isin(leads, field.leads)], regions)
    }
    for most in LEADS:
        kept = set(map(lead_name, _thinned(leads, most)))
        frames = {key: frame for key, frame in every.items() if key[-1] in kept}
        if sum(len(f.picture) for f in frames.values() if isinstance(f.picture, bytes)) < BYTES:
            break
    names = [list(dict.fromkeys(key[place] for key in frames)) for place in range(4)]
    titles = ("variable", "shown", "region", "lead time")
    return Slider(dict(zip(titles, names, strict=True)), frames)


def _thinned(leads: Leads, most: int) -> Leads:
    """Evenly spaced ones of the lead times, among them the last."""
    return leads[::-1][:: -(-len(leads) // most)][::-1]


def _frames(
    field: ForecastField, leads: Leads, regions: Sequence[Region]
) -> Iterator[tuple[tuple[str, str, str], Frame]]:
    """The frames of a channel, by what is shown, region and lead time."""
    shown = _maps(field, leads)
    usual = field.display.scale(np.stack([map_ for key, map_ in shown if _kind(key[0]) == ""]))
    scales = {"": usual}
    for kind, make in MAKERS.items():
        if found := [map_ for key, map_ in shown if key[0] == kind]:
            scales[kind] = make(np.stack(found), usual)
    legends = {kind: _legend(scale, field, kind) for kind, scale in scales.items()}
    canvases = [Canvas(region, field.grid) for region in regions]
    for (name, lead), map_ in shown:
        kind = _kind(name)
        for canvas in canvases:
            picture = canvas.picture(map_, scales[kind])
            caption = f"{field.display.heading}, {name}: {field.lead_title(lead)}"
            key = (name, canvas.region.name, lead_name(lead))
            yield key, Frame(picture, caption, legends[kind])


def _kind(name: str) -> str:
    """The kind of a map that has colours of its own; empty where values are shown."""
    return name if name in MAKERS else ""


def _maps(field: ForecastField, leads: Leads) -> list[tuple[tuple[str, np.timedelta64], Array]]:
    """Maps (H, W) by what they show and lead time, what they show varying last."""
    found = []
    for lead, members in zip(leads, field.members(leads), strict=True):
        mean, truth = members.mean(0), field.truth_at(lead)
        found.append(((field.mean_name, lead), mean))
        if truth is not None:
            found += [(("truth", lead), truth), (("error", lead), mean - truth)]
        if not field.is_single:
            found.append((("spread", lead), np.sqrt(variance(members))))
            found += [
                ((f"member {name}", lead), member)
                for name, member in zip(field.member_names[:MEMBERS], members, strict=False)
            ]
    return found


class Canvas:
    """A part of the globe as a picture of few pixels, with the coasts.

    Args:
        region: The part.
        grid: The grid of the maps.
    """

    def __init__(self, region: Region, grid: Grid) -> None:
        self.region, self._grid = region, grid
        width = region.east - region.west
        width = width if 0 < width <= 360 else width % 360
        west = -180.0 if width == 360 else region.west
        step = max(width / WIDTH, (region.north - region.south) / HIGHEST)
        self._longitude = np.arange(west + step / 2, west + width, step)
        self._latitude = np.arange(region.north - step / 2, region.south, -step)
        points = coastlines_between(west, west + width)
        places = np.stack([points[:, 0] - west, region.north - points[:, 1]], 1) / step
        image = Image.new("1", (len(self._longitude), len(self._latitude)))
        drawing = ImageDraw.Draw(image)
        for line in np.split(places, np.flatnonzero(np.isnan(places[:, 0]))):
            drawing.line([(float(x), float(y)) for x, y in line if x == x], fill=1)
        self._coasts = np.asarray(image)

    def places(self, values: Array, scale: ColourScale) -> NDArray[np.int64]:
        """(h, w) the level above each pixel of values (H, W); two more are coasts and nothing."""
        shown = interpolate(values, self._grid, self._latitude, self._longitude)
        found = np.digitize(shown, scale.levels)
        found[~np.isfinite(shown)] = len(scale.levels) + 2
        found[self._coasts] = len(scale.levels) + 1
        return found

    def picture(self, values: Array, scale: ColourScale) -> bytes:
        """A WebP of values (H, W), a fifth smaller than a PNG of a palette."""
        colours = np.concatenate([_colours(scale), [COAST, PAPER]]).astype(np.uint8)
        content = io.BytesIO()
        image = Image.fromarray(colours[self.places(values, scale)])
        image.save(content, "WEBP", lossless=True, method=2)
        return content.getvalue()


def interpolate(values: Array, grid: Grid, latitude: Array, longitude: Array) -> Array:
    """Values (H, W) at all pairs of latitudes (h,) and longitudes (w,), linearly between cells.

    Beyond the last row values are those of it; beyond the last column of a grid that does not go
    around the globe they are NaN.
    """
    wrapped = WrappedGrid(grid, float(longitude.mean()))
    values, north, east = wrapped(values), wrapped.latitude, wrapped.longitude
    rows = np.interp(latitude, north, np.arange(len(north)))
    places = np.interp(longitude, east, np.arange(len(east)), np.nan, np.nan)
    above, left = np.floor(rows).astype(int), np.floor(np.nan_to_num(places)).astype(int)
    below, right = (
        np.minimum(i + 1, n - 1) for i, n in zip((above, left), values.shape, strict=True)
    )
    down, along = (rows - above)[:, None], (places - left)[None]
    top, bottom = (
        values[r][:, left] * (1 - along) + values[r][:, right] * along for r in (above, below)
    )
    return np.asarray(top * (1 - down) + bottom * down)


def _colours(scale: ColourScale) -> NDArray[np.uint8]:
    """(n + 1, 3) colours below, between and above n levels."""
    levels = scale.levels
    half = float(np.diff(levels).min()) / 2
    middles = np.concatenate(
        [[levels[0] - half], (levels[1:] + levels[:-1]) / 2, [levels[-1] + half]]
    )
    found = scale.colours(scale.norm(middles))
    return np.asarray(np.rint(255 * np.asarray(found)[:, :3]), np.uint8)


def _legend(scale: ColourScale, field: ForecastField, name: str) -> str:
    """A bar of the colours with their levels, as SVG."""
    unit = field.display.unit_difference if name else field.display.unit
    colours, count = _colours(scale), len(scale.levels)
    side = WIDTH / (count + 1)
    every = -(-count * 50 // WIDTH)  # levels that have a number, each 50 pixels wide
    boxes = [
        f'<rect x="{i * side:.1f}" width="{side + 0.5:.1f}" height="12" '
        f'fill="#{bytes(colour).hex()}"/>'
        for i, colour in enumerate(colours)
    ]
    numbers = [
        f'<text x="{(i + 1) * side:.1f}" y="28">{format_number(float(level))}</text>'
        for i, level in enumerate(scale.levels)
        if i % every == 0
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="50" '
        f'viewBox="0 0 {WIDTH} 50" font-family="system-ui, sans-serif" font-size="14" '
        f'fill="#333" text-anchor="middle">{"".join(boxes + numbers)}'
        f'<text x="{WIDTH / 2}" y="46">{f"{name} in " * bool(name)}{unit}</text></svg>'
    )
