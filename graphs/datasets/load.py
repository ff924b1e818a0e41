"""From a config to graphs: their source, their parts, and their properties."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from graphs.data.graphml import read_graphml
from graphs.data.store import GraphStore
from graphs.datasets.computed_properties import with_computed
from graphs.datasets.config import DataConfig
from graphs.datasets.random_families import FAMILIES, random_graphs
from graphs.datasets.splits import Splits, split_store, split_tenths
from refine_core.errors import InputError


def load_splits(
    config: DataConfig, *, seed: int = 0, store: GraphStore | None = None, quiet: bool = False
) -> Splits:
    """Graphs to train on, to validate, and to test.

    They have the columns `config.properties`, of the data or computed, see
    `graphs.datasets.computed_properties`. Of a .graphml file, a folder of them, or a `store` given
    in place of `config.source`, a tenth validates and another tests. No molecule is in two parts;
    other graphs are not compared.

    Raises:
        InputError: There is no such source, it has too few usable graphs for three parts or for
            `config.subset`, or a graph has no nodes.
    """
    parts = _read(config, seed, quiet) if store is None else split_tenths(store, seed)
    _check(parts, config.source if store is None else "the store")
    if config.subset is not None:
        parts = replace(parts, train=_subset(parts.train, config, seed))
    return with_computed(parts, config.properties, quiet=quiet) if config.properties else parts


def _read(config: DataConfig, seed: int, quiet: bool) -> Splits:
    if config.source in FAMILIES:
        store = random_graphs(config.source, config.count, seed)
        train, validation = round(0.64 * len(store)), round(0.16 * len(store))
        return split_store(store, (train, validation, len(store) - train - validation), seed)
    path = Path(config.source)
    if path.suffix == ".graphml" or (path.is_dir() and config.source not in ("qm9", "moses")):
        return split_tenths(read_graphml(path), seed)
    from graphs.chem import ParseOptions
    from graphs.datasets.molecules import read_moses, read_qm9, read_splits

    reading = ParseOptions(
        hydrogens=config.hydrogens,
        aromatic=config.aromatic,
        mined=config.fragments,
        largest_fragment=config.largest_fragment,
        limit=config.limit,
    )
    whole = replace(reading, largest_fragment=False)  # of these sets every molecule is
    if config.source == "qm9":
        return read_qm9(whole, quiet=quiet)
    if config.source == "moses":
        return read_moses(whole, rows=config.subset, quiet=quiet)
    return read_splits(config.source, reading, column=config.column, seed=seed, quiet=quiet)


def _check(parts: Splits, source: str) -> None:
    """Refuse parts that are empty, and graphs that are."""
    stores = (parts.train, parts.validation, parts.test)
    if not all(len(store) for store in stores):
        train, validation, test = map(len, stores)
        raise InputError(
            f"{source} has {train + validation + test} graphs, of which {train} are to train, "
            f"{validation} to validate and {test} to test, expected one of each: give more graphs."
        )
    empty = sum(int((store.sizes == 0).sum()) for store in stores)
    if empty:
        raise InputError(
            f"{source} has {empty} graphs without nodes, expected one node at least: leave them "
            "out."
        )


def _subset(train: GraphStore, config: DataConfig, seed: int) -> GraphStore:
    """`config.subset` training graphs, chosen at random."""
    assert config.subset is not None
    if config.subset > len(train) and config.source != "moses":  # which has read no more
        raise InputError(
            f"Found data.subset {config.subset}, but {config.source} has {len(train)} training "
            "graphs: give a smaller number, or leave it out."
        )
    order = np.random.default_rng(seed).permutation(len(train))
    return train.subset(np.sort(order[: config.subset]))
