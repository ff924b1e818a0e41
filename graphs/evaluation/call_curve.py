"""The curve of quality against network calls, of several models of molecules in one picture."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch

from graphs.datasets.load import load_splits
from graphs.evaluation.network_calls import CallCounter, SamplingSetting, sampling_settings
from graphs.model import GraphModel
from refine_core.app import figures
from refine_core.app.progress import Say, silent
from refine_core.app.report import Column, table, write_report
from refine_core.errors import InputError
from refine_core.storage.archive import default_cache
from refine_core.storage.files import write_json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BATCH = 500


@dataclass(frozen=True)
class Scores:
    """Scores of a set of molecules.

    Args:
        valid: Share of valid ones.
        connected: Share of valid ones in one piece.
        unique: Distinct ones over valid ones.
        novel: Distinct ones that are no training molecules over distinct ones.
        fcd: Frechet ChemNet distance from validation molecules; None with fewer than two valid.
    """

    valid: float
    connected: float
    unique: float
    novel: float
    fcd: float | None


@dataclass(frozen=True)
class CurvePoint:
    """One model sampled with one setting; or the training molecules, with scores alone.

    Args:
        model: Name.
        sampling: Name of the setting.
        scores: Scores of the samples.
        kind: Kind of the model.
        parameters: Count of its parameters.
        temperature: Temperature of sampling.
        calls: Network calls that a molecule takes part in, their mean.
        cpu_ms: Processor time of sampling, in ms per molecule.
    """

    model: str
    sampling: str
    scores: Scores
    kind: str | None = None
    parameters: int | None = None
    temperature: float | None = None
    calls: float | None = None
    cpu_ms: float | None = None

    def row(self) -> dict[str, str | float | None]:
        """All numbers by name, for a table or JSON."""
        own: dict[str, str | float | None] = {
            name: value for name, value in vars(self).items() if name != "scores"
        }
        return own | vars(self.scores)


def compare_models(
    models: Sequence[tuple[str, GraphModel]],
    out: Path,
    *,
    calls: tuple[int, ...] = (4, 8, 16, 32),
    temperatures: tuple[float | None, ...] = (None,),
    count: int = 2000,
    seed: int = 0,
    say: Say = silent,
) -> list[CurvePoint]:
    """Sample equally many molecules from each model with each setting, and score them.

    Scores compare with validation molecules, so that no choice made here depends on test ones.

    Args:
        models: Names and models, all of the first one's data.
        out: Folder for calls.json, CALLS.md and calls.png.
        calls: Numbers of network calls to try, where a model makes any number.
        temperatures: To try; None is the model's.
        count: Molecules per point. The Frechet ChemNet distance falls with it, so points compare
            only with each other and with the training molecules.
        seed: Seed of the samples.
        say: Receives a line about each point.

    Returns:
        A point for as many training molecules, then one per model, setting and temperature.

    Raises:
        InputError: A model's graphs are not molecules.
    """
    for name, model in models:
        if not model.is_molecular:
            raise InputError(
                f"The graphs of {name} are not molecules, so they cannot be compared."
            )
    scorer = Scorer(models[0][1], count, say)
    points = [CurvePoint("training molecules", "", scorer.training_scores())]
    for name, model in models:
        for setting in sampling_settings(model, calls):
            for temperature in temperatures:
                points.append(scorer.point(name, model, setting, temperature, seed))
                say(_line(points[-1]))
                write_json(out / "calls.json", [point.row() for point in points])
                write_report(out / "CALLS.md", curve_table(points))
    plot_calls(points, out / "calls.png")
    return points


class Scorer:
    """Samples from models and scores samples against validation molecules.

    Args:
        model: Whose data the samples are compared with.
        count: Molecules to sample.
        say: Receives a line about each stage.
    """

    def __init__(self, model: GraphModel, count: int, say: Say) -> None:
        from graphs.metrics.summary import summarise

        parts = load_splits(model.config.data, seed=model.config.seed)
        self.train = parts.train.text(torch.arange(len(parts.train)))
        validation = parts.validation.text(torch.arange(len(parts.validation)))
        self.validation = summarise(validation, default_cache(), say)
        self.known, self.count = set(self.train), count

    def point(
        self,
        name: str,
        model: GraphModel,
        setting: SamplingSetting,
        temperature: float | None,
        seed: int,
    ) -> CurvePoint:
        """Sample from a model with a setting, and score the samples."""
        started = time.process_time()
        with CallCounter(model) as counter:
            graphs = model.sample(
                self.count,
                seed=seed,
                batch=BATCH,
                temperature=temperature,
                workers=1,
                **setting.options,
            )
        seconds = time.process_time() - started
        used = model.config.sampling.temperature if temperature is None else temperature
        return CurvePoint(
            name,
            setting.name,
            self.scores(model.smiles(graphs)),
            kind=model.config.model.kind,
            parameters=sum(each.numel() for each in model.refiner.parameters()),
            temperature=used,
            calls=counter.per_graph(self.count),
            cpu_ms=1000 * seconds / self.count,
        )

    def training_scores(self) -> Scores:
        """Scores of as many training molecules, or of all, evenly spaced."""
        count = min(self.count, len(self.train))
        return self.scores([self.train[i * len(self.train) // count] for i in range(count)])

    def scores(self, smiles: Sequence[str | None]) -> Scores:
        """Score molecules, None where no molecule came out."""
        from graphs.chem.scores import examine
        from graphs.metrics import fcd

        found = [molecule for molecule in map(examine, smiles) if molecule is not None]
        valid = [molecule.smiles for molecule in found]
        distinct = set(valid)
        mean, covariance = fcd.moments(fcd.activations(valid))
        distance = fcd.frechet(mean, covariance, self.validation.mean, self.validation.covariance)
        return Scores(
            valid=len(found) / len(smiles),
            connected=sum(molecule.fragments == 1 for molecule in found) / len(smiles),
            unique=len(distinct) / max(1, len(valid)),
            novel=len(distinct - self.known) / max(1, len(distinct)),
            fcd=None if math.isnan(distance) else distance,
        )


def curve_table(points: Sequence[CurvePoint]) -> str:
    """Points as a Markdown table."""
    shares = {"valid": "valid", "valid, connected": "connected", "unique": "unique"}
    columns = [
        Column("model"),
        Column("parameters", form=lambda value: f"{value / 1e6:.2f} M"),
        Column("sampling"),
        Column("temperature", form="g"),
        Column("calls", form=".3g"),
        *(Column(title, key, form=".1%") for title, key in (shares | {"novel": "novel"}).items()),
        Column("FCD to validation", "fcd", form=".3f"),
        Column("CPU ms", "cpu_ms", form=".1f"),
    ]
    return table(columns, [point.row() for point in points])


def _line(point: CurvePoint) -> str:
    distance = "-" if point.scores.fcd is None else f"{point.scores.fcd:.3f}"
    return (
        f"{point.model}, {point.sampling}: {point.calls:.3g} calls, "
        f"{point.scores.valid:.1%} valid, FCD {distance}"
    )


Panel = Literal["connected", "fcd", "unique"]
PANELS: tuple[tuple[Panel, str, int], ...] = (
    ("connected", "valid and in one piece (dashed: valid; %)", 100),
    ("fcd", "FCD to validation, lower is better", 1),
    ("unique", "unique of the valid (%)", 100),
)


def plot_calls(points: Sequence[CurvePoint], path: Path) -> None:
    """Plot validity, distance and uniqueness against calls, a line for each model and temperature.

    Args:
        points: Points of `compare_models`.
        path: The picture.
    """
    from matplotlib.figure import Figure

    reference = next((point for point in points if point.calls is None), None)
    curves = _curves([point for point in points if point.calls is not None])
    with figures.house_style():
        figure = Figure(figsize=(12, 4.2), layout="constrained")
        axes = figure.subplots(1, len(PANELS))
        for axis, (key, title, factor) in zip(axes, PANELS, strict=True):
            for place, (name, curve) in enumerate(curves.items()):
                colour = figures.PALETTE[place % len(figures.PALETTE)]
                _plot_curve(axis, curve, key, factor, colour, name)
            level = None if reference is None else getattr(reference.scores, key)
            if level is not None:
                axis.axhline(factor * level, color=figures.REFERENCE, linestyle=":")
            calls = [point.calls for curve in curves.values() for point in curve if point.calls]
            _scale_axes(axis, key, title, calls)
        if reference is not None:
            axes[1].plot([], [], ":", color=figures.REFERENCE, label=reference.model)
        handles, labels = axes[1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
        figures.save(figure, path, dpi=130)


def _curves(points: Sequence[CurvePoint]) -> dict[str, list[CurvePoint]]:
    """Points by model, and by temperature if a model has several; by rising calls."""
    pairs = {(point.model, point.temperature) for point in points}
    alone = len(pairs) == len({point.model for point in points})
    curves: dict[str, list[CurvePoint]] = {}
    for point in sorted(points, key=lambda point: point.calls or 0):
        name = point.model if alone else f"{point.model}, T = {point.temperature:g}"
        curves.setdefault(name, []).append(point)
    order = [point.model for point in points]
    return dict(sorted(curves.items(), key=lambda item: order.index(item[1][0].model)))


def _plot_curve(
    axis: "Axes", curve: Sequence[CurvePoint], key: Panel, factor: int, colour: str, name: str
) -> None:
    known = [point for point in curve if getattr(point.scores, key) is not None]
    calls = [point.calls or 0 for point in known]
    values = [factor * getattr(point.scores, key) for point in known]
    axis.plot(calls, values, "o-", color=colour, label=name)
    if key == "connected":
        valid = [factor * point.scores.valid for point in known]
        axis.plot(calls, valid, "--", color=colour, linewidth=1, alpha=0.7)


def _scale_axes(axis: "Axes", key: Panel, title: str, calls: Sequence[float]) -> None:
    from matplotlib.ticker import LogLocator, NullLocator, ScalarFormatter

    axis.set_title(title)
    axis.set_xlabel("network calls of a batch")
    axis.set_xscale("log", base=2)
    ticks = [2**k for k in range(1, 11) if min(calls) / 1.5 <= 2**k <= max(calls) * 1.5]
    axis.set_xticks(ticks, [str(tick) for tick in ticks])
    axis.xaxis.set_minor_locator(NullLocator())
    if key == "fcd":
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter(ScalarFormatter())
        axis.yaxis.set_minor_locator(NullLocator())
    if key == "unique":
        axis.set_ylim(min(90, axis.get_ylim()[0]), 101)
