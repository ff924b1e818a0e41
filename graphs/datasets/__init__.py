"""Named sets, files and random families of graphs, their splits and properties."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from graphs.datasets.config import DataConfig as DataConfig
    from graphs.datasets.load import load_splits as load_splits
    from graphs.datasets.molecules import read_molecules as read_molecules
    from graphs.datasets.molecules import read_moses as read_moses
    from graphs.datasets.molecules import read_qm9 as read_qm9
    from graphs.datasets.molecules import read_splits as read_splits
    from graphs.datasets.properties import Properties as Properties
    from graphs.datasets.properties import WithProperties as WithProperties
    from graphs.datasets.random_families import FAMILIES as FAMILIES
    from graphs.datasets.random_families import random_graphs as random_graphs
    from graphs.datasets.splits import Splits as Splits
    from graphs.datasets.splits import split_store as split_store
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
