"""Graphs in memory, on disk, and to and from other libraries."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from graphs.data.batch import GraphBatch as GraphBatch
    from graphs.data.batch import Vocabulary as Vocabulary
    from graphs.data.convert_networkx import from_networkx as from_networkx
    from graphs.data.convert_networkx import to_networkx as to_networkx
    from graphs.data.convert_pyg import from_pyg as from_pyg
    from graphs.data.convert_pyg import to_pyg as to_pyg
    from graphs.data.graphml import read_graphml as read_graphml
    from graphs.data.graphml import write_graphml as write_graphml
    from graphs.data.store import GraphStore as GraphStore
    from graphs.data.store import Report as Report
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
