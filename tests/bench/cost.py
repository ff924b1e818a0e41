"""What graphs cost by their size: `python -m tests.bench.cost`, into results/graphs/cost/.

For random trees and planar graphs of n nodes: processor time of a training step and of sampling,
each for one graph in a batch of `BATCH`, and the memory that they take. The network is untrained
and always the same; every size is measured in a process of its own, on one thread.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from graphs.data.batch import Vocabulary
from graphs.data.store import collect
from graphs.datasets.random_families import planar, tree
from graphs.datasets.statistics import max_counts
from graphs.generators.common.statistics import GraphStatistics
from graphs.generators.contraction.config import ContractionConfig
from graphs.generators.kinds import kind_of
from refine_core.app.figures import house_style, save
from refine_core.app.report import Column, table, write_report
from refine_core.noise import Noise
from refine_core.storage.checkpoint import versions
from refine_core.storage.files import write_json

OUT = Path(__file__).parents[2] / "results" / "graphs" / "cost"
SIZES = (9, 16, 32, 64, 128, 256, 500, 1000)
FITTED = 64  # sizes from here on say the exponent
BATCH = 2
CONFIG = ContractionConfig(dim=64, depth=3, heads=4)  # as configs/graphs/tree.yaml
COLUMNS = {"train_s": "training step, s", "sample_s": "sampling, s", "memory_mb": "memory, MB"}

Row = dict[str, float]


def measure(kind: str, n: int) -> Row:
    """Costs of graphs of n nodes; memory is what the process takes above what it took before."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    make = {"tree": tree, "planar": planar}[kind]
    drawn = [make(np.random.default_rng([0, k]), n) for k in range(BATCH)]
    nodes = [np.zeros(size, np.int64) for size, _ in drawn]
    edges = [np.ones(len(ends), np.int64) for _, ends in drawn]
    store = collect(nodes, [ends for _, ends in drawn], edges, Vocabulary())
    statistics = GraphStatistics(Vocabulary(), max_counts(store))
    model = kind_of(CONFIG).build(statistics).train()
    optimizer = torch.optim.AdamW(model.parameters())
    graphs, noise = store[torch.arange(BATCH)][0], Noise(0, torch.arange(BATCH))
    scales = 0

    def step() -> None:
        model((graphs,), noise)["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()

    def sample() -> None:
        nonlocal scales
        # An untrained network draws graphs of any size: the first code is given.
        given = model.tokenizer.trace(model.tokenizer.features(graphs, noise)).codes[:1]
        scales = len(model.sample_trace(noise, codes=given).codes)

    before = _peak()
    train_s = _seconds(step)
    memory = _peak() - before
    model.eval()
    row = {"n": n, "train_s": train_s / BATCH, "sample_s": _seconds(sample) / BATCH}
    return row | {"memory_mb": memory / BATCH, "calls": scales}


def _seconds(call: Callable[[], None]) -> float:
    """Processor time of the fastest of a few calls."""
    taken: list[float] = []
    while len(taken) < 2 or (sum(taken) < 2 and len(taken) < 20):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return min(taken)


def _peak() -> float:
    """Most memory that this process ever took, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def exponent(rows: list[Row], name: str, least: int = FITTED) -> float:
    """Slope of the logarithm of a column over that of n, from `least` nodes on."""
    kept = [row for row in rows if row["n"] >= least]
    x, y = (np.log([row[key] for row in kept]) for key in ("n", name))
    return float(np.polyfit(x, y, 1)[0])


def main() -> None:
    """Measure, and write cost.json, COST.md and cost.png."""
    rows: dict[str, list[Row]] = {"tree": [], "planar": []}
    for kind in rows:
        for n in SIZES:
            command = [sys.executable, "-m", "tests.bench.cost", kind, str(n)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            rows[kind].append(json.loads(done.stdout))
            print(kind, rows[kind][-1])
    write(rows)


def write(rows: dict[str, list[Row]]) -> None:
    """Write what was measured."""
    slopes = {kind: {name: exponent(rows[kind], name) for name in COLUMNS} for kind in rows}
    machine = {"threads": 1, "batch": BATCH, "fitted from n": FITTED, **versions()}
    write_json(OUT / "cost.json", {"machine": machine, "rows": rows, "exponents": slopes})
    write_report(OUT / "COST.md", *report(rows, slopes))
    plot(rows, slopes, OUT / "cost.png")


def report(rows: dict[str, list[Row]], slopes: dict[str, dict[str, float]]) -> list[str]:
    """Headings, words and tables."""
    parts = [
        "# Cost of a graph by its size",
        "`python -m tests.bench.cost`: one graph's share of a batch, one thread, a network of "
        f"width {CONFIG.dim} and depth {CONFIG.depth}. The exponent b of n^b is fitted from "
        f"{FITTED} nodes on.",
    ]
    columns = [
        Column("n", form=".0f", align="right"),
        *(Column(title, name, ".3g", "right") for name, title in COLUMNS.items()),
        Column("network calls", "calls", ".0f"),
    ]
    for kind, each in rows.items():
        last = int(each[-2]["n"])
        late = {name: exponent(each, name, last) for name in COLUMNS}
        fitted = {"exponent": slopes[kind], f"exponent from {last} on": late}
        ends = [
            {"n": text} | {name: f"{slope:.2f}" for name, slope in slopes.items()}
            for text, slopes in fitted.items()
        ]
        parts += [f"## {kind}", table(columns, [*each, *ends])]
    return parts


def plot(rows: dict[str, list[Row]], slopes: dict[str, dict[str, float]], path: Path) -> None:
    """Plot the columns over n, both axes logarithmic."""
    from matplotlib.figure import Figure

    with house_style():
        figure = Figure(figsize=(10, 3.4), layout="constrained")
        for axes, (name, title) in zip(figure.subplots(1, 3), COLUMNS.items(), strict=True):
            for kind, each in rows.items():
                n = [row["n"] for row in each]
                label = f"{kind}: n^{slopes[kind][name]:.2f}"
                axes.loglog(n, [row[name] for row in each], "o-", label=label)
            axes.set(title=title, xlabel="nodes n")
            axes.legend()
        save(figure, path)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
    else:
        main()
