"""Graphs: iterative refinement over coarsenings of a graph."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from graphs.chem.properties import near as near
    from graphs.config import GraphsConfig as GraphsConfig
    from graphs.data.batch import GraphBatch as GraphBatch
    from graphs.data.batch import Vocabulary as Vocabulary
    from graphs.data.convert_networkx import from_networkx as from_networkx
    from graphs.data.convert_networkx import to_networkx as to_networkx
    from graphs.data.convert_pyg import from_pyg as from_pyg
    from graphs.data.convert_pyg import to_pyg as to_pyg
    from graphs.data.graphml import read_graphml as read_graphml
    from graphs.data.graphml import write_graphml as write_graphml
    from graphs.datasets.config import DataConfig as DataConfig
    from graphs.energy_training import with_energy as with_energy
    from graphs.evaluation.likelihood import log_probs as log_probs
    from graphs.generators.common.config import SamplingConfig as SamplingConfig
    from graphs.generators.contraction.config import ContractionConfig as ContractionConfig
    from graphs.generators.expansion.config import ExpansionConfig as ExpansionConfig
    from graphs.generators.masked.config import MaskedConfig as MaskedConfig
    from graphs.model import GraphModel as GraphModel
    from graphs.model import load as load
    from graphs.smiles_generator import SmilesGenerator as SmilesGenerator
    from graphs.training import train as train
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
