"""The curve of quality against network calls, of any models of molecules on one picture."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, ScalarFormatter

from graphs.datasets.load import splits
from graphs.evaluation.network_calls import Counter, Way, ways
from graphs.model import GraphModel
from refine_core.errors import InputError
from refine_core.storage.archive import default_cache
from refine_core.storage.files import atomic_write, write_json, write_text

COLOURS = ("#0b6e4f", "#c1440e", "#3d5a98", "#8a5a9e", "#a07800", "#555555")


PANELS = (
    ("connected", "valid and in one piece (dashed: valid; %)", 100),
    ("fcd", "FCD to validation, lower is better", 1),
    ("unique", "unique of the valid (%)", 100),
)


Say = Callable[[str], None]
Row = dict[str, Any]
BATCH = 250
HEAD = (
    *("model", "parameters", "way", "temperature", "calls"),
    *("valid", "valid, connected", "unique", "novel", "FCD to validation", "CPU ms"),
)


def compare(
    models: Sequence[tuple[str, GraphModel]],
    out: Path,
    *,
    calls: tuple[int, ...] = (4, 8, 16, 32),
    temperatures: tuple[float | None, ...] = (None,),
    parallel: tuple[str, ...] = (),
    count: int = 2000,
    seed: int = 0,
    say: Say = lambda _: None,
) -> list[Row]:
    """Draw as many molecules from each model in each way, and judge them alike.

    Args:
        models: Names and models, all of the first one's data.
        out: Folder for calls.json, CALLS.md and calls.png.
        calls: Numbers of network calls to try, where a model leaves them free.
        temperatures: To try; None is the model's.
        parallel: Of contractions, ways to split, in place of those that make `calls`.
        count: Molecules per row; the Frechet ChemNet distance falls with it, so rows compare only
            with each other and with the floor.
        seed: Of the draws.
        say: Receives a line about each row.

    Returns:
        A row per model and way, after one for as many training molecules, the floor: calls of a
        batch of 250, shares of valid, valid and connected, unique and novel molecules, `fcd` to
        the validation molecules, and `cpu_ms` a molecule, drawing alone. Test molecules are left
        to `graphs.evaluation.measurement`, so that nothing here is chosen by them.

    Raises:
        InputError: A model's graphs are not molecules.
    """
    for name, model in models:
        if not model.is_molecular:
            raise InputError(
                f"The graphs of {name} are not molecules, so they cannot be compared."
            )
    judge = Judge(models[0][1], count, say)
    rows = [judge.floor()]
    for name, model in models:
        size = sum(p.numel() for p in model.refiner.parameters())
        for each in _ways(model, calls, parallel):
            for temperature in temperatures:
                row: Row = {"model": name, "kind": model.config.model.kind, "parameters": size}
                used = model.config.sampling.temperature if temperature is None else temperature
                row |= {"way": each.name, "temperature": used}
                row |= judge(model, each.options | {"temperature": temperature}, seed)
                rows.append(row)
                say(_line(row))
                write_json(out / "calls.json", rows)
                write_text(out / "CALLS.md", table(rows))
    plot_calls(rows, out / "calls.png")
    return rows


def _ways(model: GraphModel, calls: tuple[int, ...], parallel: tuple[str, ...]) -> list[Way]:
    if model.config.model.kind != "contraction" or not parallel:
        return ways(model, calls)
    return [Way(each, {"parallel": each}) for each in parallel]


class Judge:
    """Draws from a model and compares with validation molecules.

    Args:
        model: Whose data are compared with.
        count: Molecules to draw.
        say: Receives a line about each stage.
    """

    def __init__(self, model: GraphModel, count: int, say: Say) -> None:
        from graphs.metrics.summary import summarise

        parts = splits(replace(model.config.data, subset=None), seed=model.config.seed)
        self.train = parts.train.text(torch.arange(len(parts.train)))
        held = parts.validation.text(torch.arange(len(parts.validation)))
        self.held = summarise(held, default_cache() / "graphs", say)
        self.known, self.count = set(self.train), count

    def __call__(self, model: GraphModel, options: dict[str, Any], seed: int) -> Row:
        """Draw in one way, and judge."""
        started = time.process_time()
        with Counter(model) as counter:
            graphs = model.sample(self.count, seed=seed, batch=BATCH, **options)
        seconds = time.process_time() - started
        return (
            {"calls": counter.a_batch(self.count, BATCH)}
            | self.score(model.smiles(graphs))
            | {"cpu_ms": 1000 * seconds / self.count}
        )

    def floor(self) -> Row:
        """Of as many training molecules, evenly spaced."""
        picked = [self.train[i * len(self.train) // self.count] for i in range(self.count)]
        return {"model": "training molecules", "way": "floor"} | self.score(picked)

    def score(self, smiles: Sequence[str | None]) -> Row:
        """Shares and distance; the latter null if fewer than two are valid."""
        from graphs.chem.scores import examine
        from graphs.metrics import fcd

        found = [molecule for molecule in map(examine, smiles) if molecule is not None]
        valid = [molecule.smiles for molecule in found]
        distinct = set(valid)
        mean, covariance = fcd.moments(fcd.activations(valid))
        distance = fcd.frechet(mean, covariance, self.held.mean, self.held.covariance)
        return {
            "valid": len(found) / len(smiles),
            "connected": sum(molecule.fragments == 1 for molecule in found) / len(smiles),
            "unique": len(distinct) / max(1, len(valid)),
            "novel": len(distinct - self.known) / max(1, len(distinct)),
            "fcd": None if math.isnan(distance) else distance,
        }


def table(rows: Sequence[Row]) -> str:
    """Rows in Markdown."""
    lines = [f"| {' | '.join(HEAD)} |", "|" + "---|" * len(HEAD)]
    for row in rows:
        shares = [f"{100 * row[name]:.1f} %" for name in ("valid", "connected", "unique", "novel")]
        size = f"{row['parameters'] / 1e6:.2f} M" if "parameters" in row else ""
        cells = [
            row["model"],
            size,
            row["way"],
            str(row.get("temperature", "")),
            str(row.get("calls", "")),
            *shares,
        ]
        cells.append("" if row["fcd"] is None else f"{row['fcd']:.3f}")
        cells.append(f"{row['cpu_ms']:.1f}" if "cpu_ms" in row else "")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _line(row: Row) -> str:
    distance = "-" if row["fcd"] is None else f"{row['fcd']:.3f}"
    return (
        f"{row['model']}, {row['way']}: {row['calls']} calls, {100 * row['valid']:.1f} % valid, "
        f"FCD {distance}"
    )


def plot_calls(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw validity, distance and uniqueness against calls, one line a model and temperature.

    Args:
        rows: Of `graphs.evaluation.call_curve.compare`.
        path: PNG to write.
    """
    figure = Figure(figsize=(12, 4.2), dpi=130, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    lines: dict[str, list[dict[str, Any]]] = {}
    several = len({(row["model"], row["temperature"]) for row in rows if "calls" in row})
    plain = several == len({row["model"] for row in rows if "calls" in row})
    for row in rows:
        if "calls" in row:
            name = row["model"] if plain else f"{row['model']}, T = {row['temperature']:g}"
            lines.setdefault(name, []).append(row)
    floor = next((row for row in rows if "calls" not in row), None)
    axes: list[Axes] = list(figure.subplots(1, len(PANELS)))
    for axis, (key, title, factor) in zip(axes, PANELS, strict=True):
        for colour, (name, points) in zip(COLOURS * 9, lines.items(), strict=False):
            points = sorted((p for p in points if p[key] is not None), key=lambda p: p["calls"])
            x, y = [p["calls"] for p in points], [factor * p[key] for p in points]
            axis.plot(x, y, "o-", color=colour, label=name, linewidth=1.8, markersize=5)
            if key == "connected":
                each = [factor * p["valid"] for p in points]
                axis.plot(x, each, "--", color=colour, linewidth=1, alpha=0.7)
        if floor is not None and floor[key] is not None:
            axis.axhline(factor * floor[key], color="#888888", linestyle=":", linewidth=1.2)
        _dress(axis, key, title, sorted({row["calls"] for row in rows if "calls" in row}))
    if floor is not None:
        axes[1].plot([], [], ":", color="#888888", label="training molecules")
    handles, labels = axes[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    with atomic_write(path) as temporary:
        canvas.print_figure(temporary, format="png")


def _dress(axis: Axes, key: str, title: str, calls: list[int]) -> None:
    axis.set_title(title, loc="left", fontsize=11)
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
    axis.grid(alpha=0.25)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
