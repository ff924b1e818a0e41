"""Graphs from and to GraphML files; see `graphs.convert` for what graphs may be."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

from graphs.convert import from_networkx
from graphs.store import GraphStore
from refine_core.errors import InputError
from refine_core.files import atomic_write

if TYPE_CHECKING:
    import networkx as nx


def read_graphml(path: str | Path, *, label: str = "label") -> GraphStore:
    """Read the graphs of one GraphML file, or of all `.graphml` files of a folder.

    Raises:
        InputError: There is none, one cannot be read, or as `from_networkx`.
    """
    from networkx import NetworkXError
    from networkx.readwrite.graphml import GraphMLReader

    path = Path(path)
    files = sorted(path.glob("*.graphml")) if path.is_dir() else [path]
    graphs = []
    for file in files:
        try:
            graphs += list(GraphMLReader()(path=file))
        except FileNotFoundError:
            raise InputError(f"{file} does not exist; give a .graphml file or a folder.") from None
        except (ParseError, NetworkXError, KeyError, ValueError) as error:
            raise InputError(f"{file} cannot be read as GraphML ({error}).") from None
    if not graphs:
        raise InputError(f"{path} holds no graph; give a .graphml file, or a folder of them.")
    return from_networkx(graphs, label=label)


def write_graphml(graphs: Sequence["nx.Graph[Any]"], folder: str | Path) -> list[Path]:
    """Write each graph to its own file `<number>.graphml` in a folder."""
    import networkx as nx

    width = len(str(len(graphs)))
    paths = [Path(folder) / f"{number:0{width}}.graphml" for number in range(len(graphs))]
    for graph, path in zip(graphs, paths, strict=True):
        with atomic_write(path) as temporary:
            nx.write_graphml(graph, temporary)
    return paths
