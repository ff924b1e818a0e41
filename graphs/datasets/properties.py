"""Numeric properties of graphs, in units of their spread, as the context of a generator."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from graphs.data.batch import GraphBatch
from graphs.data.store import GraphStore
from graphs.datasets.computed_properties import computable
from refine_core.errors import InputError, suggest


@dataclass(frozen=True)
class Properties:
    """Numeric columns in units of their spread.

    Args:
        names: p columns.
        mean: (p,) over the training graphs.
        spread: (p,) standard deviations.
        low: (p,) smallest values; empty in models of earlier versions.
        high: (p,) largest.
    """

    names: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    @classmethod
    def of(cls, store: GraphStore, names: tuple[str, ...]) -> "Properties":
        """The properties `names` of a store; missing values (NaN) are left out of the statistics.

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
        """Context (count, p) of wanted values; properties that are not named may have any value.

        Values outside the range of the training graphs are refused, since the model has learnt
        nothing about them.

        Raises:
            InputError: The model does not know a name, or a value is outside its range.
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
            # A hundredth of the spread covers the rounding of the range in the message below.
            if name in where and not (low - 0.01 * spread <= where[name] <= high + 0.01 * spread):
                raise InputError(
                    f"Found {name}={where[name]:g}, but training graphs have a {name} from "
                    f"{low:.4g} to {high:.4g}: ask for a value in between."
                )
        wanted = torch.tensor([[where.get(name, torch.nan) for name in self.names]])
        return self.scaled(wanted).expand(count, -1)


@dataclass(frozen=True)
class WithProperties:
    """`refine_core.training.data.Data` of graphs and their properties."""

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
