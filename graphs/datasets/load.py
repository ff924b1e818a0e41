"""From a config to graphs: which source, what counts it has, which properties go along."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from graphs.data.graphml import read_graphml
from graphs.data.store import GraphStore
from graphs.datasets.computed_properties import with_columns
from graphs.datasets.config import DataConfig
from graphs.datasets.random_families import FAMILIES, generic
from graphs.datasets.splits import Splits, divide


def splits(
    config: DataConfig, *, seed: int = 0, store: GraphStore | None = None, quiet: bool = False
) -> Splits:
    """Graphs to learn from, to choose by, and to be judged on (`graphs.datasets.splits.Splits`).

    They have the columns `config.properties`, of the data or computed, see
    `graphs.datasets.computed_properties`.
    Of a .graphml file, a folder of them, or a `store` given in place of `config.source`, a tenth
    validates and another tests. No molecule is in two parts; of other graphs, whether two are
    alike is not looked at.

    Raises:
        InputError: There is no such source, or it has no usable graph.
    """
    parts = _read(config, seed, quiet) if store is None else _tenths(store, seed)
    if config.subset is not None and config.subset < len(parts.train):
        order = np.random.default_rng(seed).permutation(len(parts.train))
        parts = replace(parts, train=parts.train.subset(np.sort(order[: config.subset])))
    return with_columns(parts, config.properties, quiet=quiet) if config.properties else parts


def _read(config: DataConfig, seed: int, quiet: bool) -> Splits:
    if config.source in FAMILIES:
        store = generic(config.source, config.count, seed)
        learn, choose = round(0.64 * len(store)), round(0.16 * len(store))
        return divide(store, (learn, choose, len(store) - learn - choose), seed)
    path = Path(config.source)
    if path.suffix == ".graphml" or (path.is_dir() and config.source not in ("qm9", "moses")):
        return _tenths(read_graphml(path), seed)
    from graphs.chem import ParseOptions
    from graphs.datasets.molecules import moses, qm9, read_splits

    reading = ParseOptions(
        hydrogens=config.hydrogens,
        aromatic=config.aromatic,
        largest_fragment=config.largest_fragment,
        limit=config.limit,
    )
    if config.source == "qm9":
        return qm9(reading, quiet=quiet)
    if config.source == "moses":
        return moses(reading, rows=config.subset, quiet=quiet)
    return read_splits(config.source, reading, column=config.column, seed=seed, quiet=quiet)


def _tenths(store: GraphStore, seed: int) -> Splits:
    tenth = max(1, len(store) // 10)
    return divide(store, (len(store) - 2 * tenth, tenth, tenth), seed)
