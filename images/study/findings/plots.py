"""Pictures of a study, each to be understood without the text.

Colours tell how samples come about, filled marks and full lines are latents, hollow marks and
dashed lines pixels. Bands and bars are intervals of 95 % over seeds. A function returns whether
there was something to draw.
"""

import base64
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict, cast

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

from images.study.findings.frontier import Series, all_series, frontier
from images.study.findings.results import ArmResults, Findings
from images.study.findings.statistics import (
    ACCURACY,
    FRECHET,
    PRECISION,
    RECALL,
    TIME,
    Interval,
    Quantity,
)
from images.study.registry import StudyArm
from refine_core.app.figures import PALETTE, REFERENCE, house_style, save

BLUE, RED, GREEN, PINK, YELLOW, SKY = PALETTE
COLOURS = {
    ("scales", "codes"): BLUE,
    ("scales", "gaussian"): GREEN,
    ("scales", "mixture"): "#333333",
    ("scales", "flow"): "#8d6e63",
    ("parts", "codes"): SKY,
    ("absorbing", "codes"): PINK,
    ("diffusion", "free"): RED,
    ("flow", "free"): YELLOW,
}
SEQUENTIAL = "#6a3d9a"
"""Colour of codes that are drawn one after the other."""
MARKS = {"scales": "s", "parts": "^", "absorbing": "D", "diffusion": "o", "flow": "v"}
Grey = NDArray[np.uint8]


class Look(TypedDict):
    """How a series is drawn."""

    color: str
    marker: str
    linestyle: str
    markerfacecolor: str


def look(arm: StudyArm) -> Look:
    """How an arm is drawn, by what it is."""
    colour = COLOURS.get((arm.method, arm.law), REFERENCE)
    if arm.draws == "sequential":
        colour = SEQUENTIAL
    solid = arm.space == "latents"
    return Look(
        color=colour,
        marker=MARKS[arm.method],
        linestyle="-" if solid else "--",
        markerfacecolor=colour if solid else "white",
    )


def plot_frontiers(path: Path, findings: Findings) -> bool:
    """Frechet distance against network calls and against time."""
    with house_style():
        figure = Figure(figsize=(12, 5.4), layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        pairs: list[tuple[Axes, Quantity | None, str]] = [
            (panels[0], None, "network calls for a sample"),
            (panels[1], TIME, "milliseconds for a sample, one core"),
        ]
        for axes, cost, label in pairs:
            for series in all_series(findings):
                _plot_frontier(axes, series, FRECHET, cost)
            _plot_floors(axes, findings)
            up = "Frechet distance to test images (lower is better)"
            _log_axes(axes, label, up, calls=cost is None)
        panels[1].set_ylabel("")
        _title(figure, "Quality and cost: the best of each arm at a cost; bands: 95 % over seeds")
        _legend(figure, panels[0])
        return _save(figure, path)


def plot_scores(path: Path, findings: Findings) -> bool:
    """Precision, recall and class accuracy against network calls."""
    with house_style():
        figure = Figure(figsize=(12, 4.4), layout="constrained")
        panels = figure.subplots(1, 3)
        for axes, quantity in zip(panels, (PRECISION, RECALL, ACCURACY), strict=True):
            for series in all_series(findings):
                _plot_spots(axes, series, quantity)
            if findings.real is not None:
                level = cast(float, findings.real[quantity.key])
                axes.axhline(level, color=REFERENCE, linestyle=":", label="real images")
            axes.set(xlabel="network calls for a sample", ylim=(0, 1.02))
            _log_axis(axes.xaxis, calls=True)
            axes.set_title(f"{quantity.label} (higher is better)")
        _title(figure, "The same settings: are samples real, varied, and of their class?")
        _legend(figure, panels[0])
        return _save(figure, path)


def plot_scales_and_steps(path: Path, findings: Findings) -> bool:
    """Frechet distance over scales S of refiners and over steps T of what iterates."""
    series = all_series(findings)
    scaled = [s.whole() for s in series if s.example.about.method == "scales"]
    iterated = [s.by_best_sampler() for s in series if s.example.about.method != "scales"]
    with house_style():
        figure = Figure(figsize=(12, 5), layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        for axes, group, title, label in (
            (panels[0], scaled, "refinement over scales", "scales S, a call each"),
            (panels[1], iterated, "iteration at one scale", "calls T"),
        ):
            for each in group:
                _plot_each(axes, each, FRECHET)
            _plot_floors(axes, findings)
            axes.set(xlabel=label, ylabel="Frechet distance (lower is better)", title=title)
            _log_axis(axes.yaxis)
        _log_axis(panels[1].xaxis, calls=True)
        panels[1].set_ylabel("")
        panels[0].set_xticks(sorted({a.about.scales for s in scaled for a in s.arms}))
        _title(
            figure,
            "How many scales, and how many steps? Each arm by the sampler that serves it best",
        )
        _legend(figure, *panels)
        return _save(figure, path)


def plot_learning(path: Path, findings: Findings) -> bool:
    """Frechet distance of unguided samples to held-out images over the training."""
    budget = findings.config.budget
    with house_style():
        figure = Figure(figsize=(9.5, 5), layout="constrained")
        axes = figure.subplots()
        for series in all_series(findings):
            arm = max(series.arms, key=lambda each: each.name == findings.config.refiner)
            rows = arm.curve()
            places = [step * arm.tokens * budget.batch / 1e6 for step in rows]
            found = [Interval.of(list(each.values()), ratio=True) for each in rows.values()]
            _plot_intervals(axes, places, found, look(arm.about), series.label)
        _log_axes(axes, "million tokens seen in training", "Frechet distance, unguided")
        axes.set_title("Learning at one budget of tokens: distance to held-out images")
        _legend(figure, axes)
        return _save(figure, path)


def plot_energy(path: Path, findings: Findings) -> bool:
    """Energies after each call, and the share of samples whose energy a call lowers."""
    panels_of = {
        "error": (1, "error of the image expected so far"),
        "mean": (1, "energy of samples so far (log scale)"),
        "fell": (2, "share of samples whose energy falls"),
    }
    with house_style():
        figure = Figure(figsize=(14, 4.6), layout="constrained")
        panels = figure.subplots(1, 3)
        for axes, (key, (first, title)) in zip(panels, panels_of.items(), strict=True):
            for series in all_series(findings):
                arm = max(series.arms, key=lambda each: each.name == findings.config.refiner)
                rows = _steps(arm, key)
                # What is expected before any call has no place among logarithms.
                rows = rows[1:] if key == "error" else rows
                places = [float(first + step) for step in range(len(rows))]
                _plot_intervals(axes, places, rows, look(arm.about), series.label)
            axes.set_xlabel("network call")
            axes.set_title(title)
            _log_axis(axes.xaxis, calls=True)
        if findings.real is not None:
            level = cast(float, findings.real["energy"])
            panels[1].axhline(level, color=REFERENCE, linestyle=":", label="real images")
        _log_axis(panels[1].yaxis)
        panels[0].set(ylim=(0, None), ylabel="squared error per pixel")
        panels[2].set_ylim(0, 1.02)
        _title(figure, "Does every step refine? Energies along the way (eq. 11 of the paper)")
        _legend(figure, *panels)
        return _save(figure, path)


def plot_sheets(path: Path, findings: Findings) -> bool:
    """Samples of every arm at about the same number of calls, and real digits."""
    rows: list[tuple[str, Grey]] = []
    for arm in findings:
        for part in list(arm.part("energy").values())[:1]:
            spent = f"{part['calls']} call{'s' * (part['calls'] != 1)}"
            rows.append((f"{arm.label}, {spent}", unpack(part["sheet"])))
    if findings.real is not None:
        rows.insert(0, ("test images", unpack(findings.real["sheet"])))
    if not rows:
        return False
    count, side = len(rows[0][1]), rows[0][1].shape[1] + 2
    gaps = ((0, 0), (1, 1), (1, 1))
    lines = [np.hstack(list(np.pad(each, gaps, constant_values=255))) for _, each in rows]
    with house_style():
        size = (0.42 * count + 4.2, 0.42 * len(rows) + 0.5)
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        axes.imshow(np.vstack(lines), cmap="gray", vmin=0, vmax=255)
        places = [side * (row + 0.5) for row in range(len(rows))]
        axes.set_yticks(places, [name for name, _ in rows])
        axes.set_xticks([])
        axes.tick_params(length=0)
        axes.grid(False)
        axes.spines[:].set_visible(False)
        calls = findings.config.tuning.calls
        axes.set_title(f"First samples of each arm, not chosen, in at most {calls} calls")
        save(figure, path, dpi=110)
        return True


def unpack(sheet: object) -> Grey:
    """Images (n, h, w) of grey bytes, of what `images.study.protocol.measuring.pack` returned."""
    packed = cast(Mapping[str, object], sheet)
    data = np.frombuffer(zlib.decompress(base64.b64decode(str(packed["grey"]))), np.uint8)
    return data.reshape(cast(list[int], packed["shape"]))


def _steps(arm: ArmResults, key: str) -> list[Interval]:
    """A list of the energy results over seeds."""
    found = [part.get(key) for part in arm.part("energy").values()]
    parts = [cast(list[float | None], values) for values in found if values]
    columns = [[v for v in values if v is not None] for values in zip(*parts, strict=False)]
    return [Interval.of(values, ratio=key == "mean") for values in columns if values]


def _plot_frontier(axes: Axes, series: Series, quantity: Quantity, cost: Quantity | None) -> None:
    """The frontier of a series; where several arms make it, points say how many scales."""
    points = frontier(series.spots, quantity, cost)
    style = look(series.example.about)
    found = [(price, spot.interval(quantity)) for price, spot in points]
    known = [(price, each) for price, each in found if each is not None]
    _plot_intervals(axes, [p for p, _ in known], [i for _, i in known], style, series.label)
    several = len({arm.about.scales for arm in series.arms}) > 1
    for price, each in known if several else ():
        spot = next(spot for other, spot in points if other == price)
        arm = next(arm for arm in series.arms if spot in arm.guided)
        name, colour = f"S={arm.about.scales}", style["color"]
        axes.annotate(
            name,
            (price, each.mean),
            xytext=(-4, -11),
            textcoords="offset points",
            color=colour,
            fontsize=7,
        )


def _plot_each(axes: Axes, series: Series, quantity: Quantity) -> None:
    """A quantity at every count of calls."""
    found = [(float(spot.calls), spot.interval(quantity)) for spot in series.spots]
    known = [(calls, each) for calls, each in found if each is not None]
    places, intervals = [calls for calls, _ in known], [each for _, each in known]
    _plot_intervals(axes, places, intervals, look(series.example.about), series.label)


def _plot_spots(axes: Axes, series: Series, quantity: Quantity) -> None:
    """A quantity of the settings on the frontier of the Frechet distance."""
    points = frontier(series.spots, FRECHET)
    found = [(price, spot.interval(quantity)) for price, spot in points]
    known = [(price, each) for price, each in found if each is not None]
    places, intervals = [p for p, _ in known], [i for _, i in known]
    _plot_intervals(axes, places, intervals, look(series.example.about), series.label)


def _plot_intervals(
    axes: Axes,
    places: Sequence[float],
    intervals: Sequence[Interval],
    style: Look,
    label: str,
) -> None:
    """A line of means with a band, or a bar where there is one point."""
    if not places:
        return
    axes.plot(places, [each.mean for each in intervals], label=label, markersize=5, **style)
    known = [(p, i) for p, i in zip(places, intervals, strict=True) if i.known]
    low, high = [i.low for _, i in known], [i.high for _, i in known]
    if len(known) == 1:
        axes.vlines([known[0][0]], low, high, color=style["color"], linewidth=1)
    elif known:
        across = [p for p, _ in known]
        axes.fill_between(across, low, high, color=style["color"], alpha=0.1, linewidth=0)


def _plot_floors(axes: Axes, findings: Findings) -> None:
    """What training images have, and what the refiner's space leaves of test images."""
    floor = findings.floor()
    if floor is not None:
        axes.axhline(floor, color=REFERENCE, linestyle=":", label="training images themselves")
    refiner = findings.arms[findings.config.refiner]
    own = refiner.floor()
    if own is not None:
        text = f"tokeniser of {refiner.label}: reconstructions"
        axes.axhline(own, color=REFERENCE, linestyle="-.", label=text)


def _log_axes(axes: Axes, across: str, up: str, *, calls: bool = False) -> None:
    """Logarithmic axes with labels; of calls to the right, or of another cost."""
    axes.set(xlabel=across, ylabel=up)
    _log_axis(axes.xaxis, calls=calls)
    _log_axis(axes.yaxis)


def _log_axis(axis: Axis, *, calls: bool = False) -> None:
    """A logarithmic axis that shows all means, whatever intervals do; linear if there are none.

    Ticks are 1, 2 and 5 times powers of ten, or, for calls, powers of two.
    """
    axes = axis.axes
    if not axes.lines:
        return
    across = isinstance(axis, XAxis)
    # Floors are lines from end to end: they have a height, and no place.
    shared = axes.get_shared_x_axes() if across else axes.get_shared_y_axes()
    drawn = [
        np.asarray(line.get_xdata() if across else line.get_ydata())
        for panel in shared.get_siblings(axes)
        for line in panel.lines
        if not across or line.get_transform() == panel.transData
    ]
    values = np.concatenate([each.astype(float) for each in drawn] or [np.zeros(0)])
    values = values[np.isfinite(values) & (values > 0)]
    ends = (values.min() / 1.25, values.max() * 1.25) if len(values) else None
    if across:
        axes.set_xscale("log")
        axes.set_xlim(ends)
    else:
        axes.set_yscale("log")
        axes.set_ylim(ends)
    axis.set_major_locator(LogLocator(2) if calls else LogLocator(subs=(1, 2, 5)))
    axis.set_minor_locator(NullLocator() if calls else LogLocator(subs=range(1, 10)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _title(figure: Figure, text: str) -> None:
    """A title above all panels."""
    figure.suptitle(text, x=0.01, ha="left", fontsize=11)


def _save(figure: Figure, path: Path) -> bool:
    """Write a figure on which something is drawn; whether it is."""
    drawn = any(axes.lines for axes in figure.axes)
    if drawn:
        save(figure, path)
    return drawn


def _legend(figure: Figure, *panels: Axes) -> None:
    """One legend beside all panels, each line once."""
    marks: dict[str, Artist] = {}
    for axes in panels:
        handles, names = axes.get_legend_handles_labels()
        marks |= dict(zip(names, handles, strict=True))
    if marks:
        figure.legend(marks.values(), marks, loc="outside right upper")
