"""Graphs from and to GraphML files; see `graphs.data.convert_networkx` for what graphs may be."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

from graphs.data.convert_networkx import from_networkx
from graphs.data.store import GraphStore
from refine_core.errors import InputError
from refine_core.storage.files import atomic_write, replace_folder, temporary_name

if TYPE_CHECKING:
    import networkx as nx


def read_graphml(path: str | Path, *, label: str = "label") -> GraphStore:
    """Read the graphs of one GraphML file, or of all `.graphml` files of a folder.

    Args:
        path: A file, or a folder, whose files are read in the order of their names.
        label: Name of the attribute of nodes, and of edges, that holds their label, if any.

    Raises:
        InputError: There is none, one cannot be read, or the graphs are not as `from_networkx`
            takes them.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import networkx as nx
    >>> import graphs
    >>> with TemporaryDirectory() as folder:
    ...     nx.write_graphml(nx.cycle_graph(5), Path(folder, "ring.graphml"))
    ...     store = graphs.read_graphml(folder)
    >>> store.sizes.tolist()
    [5]
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


def write_graphml(graphs: Sequence["nx.Graph[Any]"], folder: str | Path) -> None:
    """Write each graph to its own file `<number>.graphml` in a folder.

    The folder appears whole, in place of one that was written before.

    Args:
        graphs: Graphs of networkx.
        folder: Is made if it is not there.

    Raises:
        InputError: `folder` is a file, or holds other files than `<number>.graphml`.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import networkx as nx
    >>> import graphs
    >>> with TemporaryDirectory() as folder:
    ...     graphs.write_graphml([nx.path_graph(3), nx.cycle_graph(4)], Path(folder, "made"))
    ...     sorted(path.name for path in Path(folder, "made").iterdir())
    ['0.graphml', '1.graphml']
    """
    import networkx as nx

    check_folder(folder)
    folder, width = Path(folder).resolve(), len(str(len(graphs)))
    new = temporary_name(folder)
    try:
        new.mkdir(parents=True)
        for number, graph in enumerate(graphs):
            with atomic_write(new / f"{number:0{width}}.graphml") as file:
                nx.write_graphml(graph, file)
        replace_folder(new, folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def check_folder(folder: str | Path) -> None:
    """Refuse to write graphs where there is anything but graphs written before.

    Raises:
        InputError: `folder` is a file, or holds other files than `<number>.graphml`.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file, expected a folder for graphs: give another name.")
    for file in sorted(folder.glob("*")):
        if file.suffix != ".graphml" or not file.stem.isdigit():
            raise InputError(
                f"{folder} holds {file.name}, expected nothing but graphs of an earlier draw, "
                "which would be replaced: give another folder."
            )
