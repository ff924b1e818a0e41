"""From a config to graphs: which source, what counts it has, which properties go along."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from graphs.columns import computable, with_columns
from graphs.config import DataConfig
from graphs.generic import FAMILIES, generic
from graphs.graph import GraphBatch
from graphs.graphml import read_graphml
from graphs.parts import Splits, divide
from graphs.store import GraphStore
from refine_core.errors import InputError, suggest


def splits(
    config: DataConfig, *, seed: int = 0, store: GraphStore | None = None, quiet: bool = False
) -> Splits:
    """Graphs to learn from, to choose by, and to be judged on (`graphs.parts.Splits`).

    They have the columns `config.properties`, of the data or computed, see `graphs.columns`.
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
    from graphs.chem import Reading
    from graphs.sources import moses, qm9, read_splits  # they need RDKit

    reading = Reading(
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


@dataclass(frozen=True)
class Properties:
    """Numeric columns in units of their spread.

    Args:
        names: p columns.
        mean: (p,) over the training graphs.
        spread: (p,) standard deviations.
        low: (p,) smallest values; empty where a model of old did not note them.
        high: (p,) largest.
    """

    names: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    @classmethod
    def of(cls, store: GraphStore, names: tuple[str, ...]) -> "Properties":
        """Of the columns of a store; missing values (NaN) count for nothing.

        Raises:
            InputError: A column is missing, or constant.
        """
        known = [*store.properties, *computable(store)]
        for name in names:
            if name not in store.properties:
                raise InputError(
                    f"There is no property {name!r}, only {', '.join(known) or 'none'}."
                    f"{suggest(name, known)}"
                )
        columns = [np.asarray(store.properties[name], np.float64) for name in names]
        columns = [column[np.isfinite(column)] for column in columns]
        for name, column in zip(names, columns, strict=True):
            if not len(column) or column.min() == column.max():
                raise InputError(f"Property {name!r} has the same value everywhere: leave it out.")
        return cls(
            names,
            *(
                tuple(float(statistic(column)) for column in columns)
                for statistic in (np.mean, np.std, np.min, np.max)
            ),
        )

    def scaled(self, values: Tensor) -> Tensor:
        """(b, p) in units of the spread, NaN where unknown."""
        scaled = (values - torch.tensor(self.mean)) / torch.tensor(self.spread)
        return torch.where(scaled.isfinite(), scaled, torch.nan)

    def request(self, where: dict[str, float], count: int) -> Tensor:
        """Context (count, p) of wanted values; what is not named is left open.

        A value that no training graph had is refused, for what the model makes of it is anybody's
        guess.

        Raises:
            InputError: The model does not know a name, or a value lies outside of what it saw.
        """
        for name in where:
            if not self.names:
                raise InputError(
                    f"Found {name}={where[name]:g}, but this model takes no properties: use one "
                    "that does, such as qm9_properties, or train one with `data.properties`."
                )
            if name not in self.names:
                raise InputError(
                    f"The model is not conditioned on {name!r}, only on {', '.join(self.names)}."
                    f"{suggest(name, self.names)}"
                )
        ranges = zip(self.names, self.low, self.high, self.spread, strict=False)
        for name, low, high, spread in ranges:
            # A hundredth of the spread covers what rounding does to the range shown.
            if name in where and not (low - 0.01 * spread <= where[name] <= high + 0.01 * spread):
                raise InputError(
                    f"Found {name}={where[name]:g}, but training graphs have a {name} from "
                    f"{low:.4g} to {high:.4g}: ask for a value in between."
                )
        wanted = torch.tensor([[where.get(name, torch.nan) for name in self.names]])
        return self.scaled(wanted).expand(count, -1)


@dataclass(frozen=True)
class WithProperties:
    """`refine_core.data.Data` of graphs and their properties."""

    store: GraphStore
    properties: Properties

    def __len__(self) -> int:
        """Count of graphs."""
        return len(self.store)

    def __getitem__(self, index: Tensor) -> tuple[GraphBatch] | tuple[GraphBatch, Tensor]:
        """Graphs at `index` (b,), and their properties (b, p) if there are any."""
        (graphs,) = self.store[index]
        if not self.properties.names:
            return (graphs,)
        rows = index.numpy()
        columns = [np.asarray(self.store.properties[name])[rows] for name in self.properties.names]
        return graphs, self.properties.scaled(torch.from_numpy(np.stack(columns, 1)).float())


def batches(store: GraphStore, size: int = 10_000) -> Iterator[GraphBatch]:
    """All graphs of a store, in order."""
    for index in torch.arange(len(store)).split(size):
        yield store[index][0]


def limits(store: GraphStore) -> tuple[int, ...]:
    """Largest count of nodes of each label, then of edges of each label, in a graph."""
    labels, kinds = len(store.vocabulary.nodes), len(store.vocabulary.edges)
    most = torch.zeros(labels + kinds, dtype=torch.int64)
    for graphs in batches(store):
        nodes = F.one_hot(graphs.nodes, labels) * graphs.valid[:, :, None]
        # Every edge is seen from both ends: of arcs either count may be what is seen first.
        each = [(graphs.edges == e + 1).sum((1, 2)) for e in range(kinds)]
        edges = each if store.vocabulary.directed else [count // 2 for count in each]
        counts = torch.cat([nodes.sum(1), torch.stack(edges, 1)], 1)
        most = torch.maximum(most, counts.amax(0))
    return tuple(most.tolist())


def all_connected(store: GraphStore) -> bool:
    """Whether every graph is in one piece."""
    for graphs in batches(store):
        reach = graphs.edges > 0
        reach = reach | torch.diag_embed(graphs.valid)
        for _ in range(max(1, int(graphs.sizes.max()).bit_length())):
            reach = (reach.float() @ reach.float()) > 0
        if not bool((reach.sum((1, 2)) == graphs.sizes**2).all()):
            return False
    return True
