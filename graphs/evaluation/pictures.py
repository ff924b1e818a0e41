"""Pictures of graphs that are not molecules."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_core.app import figures
from refine_core.errors import InputError

if TYPE_CHECKING:
    import networkx as nx
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

CELL = 1.5  # inches for a graph
LARGE = 150  # nodes above which the faster layout is taken


def plot_graphs(
    rows: Sequence[tuple[str, Sequence["nx.Graph[Any]"]]], path: str | Path, *, columns: int = 6
) -> None:
    """Plot graphs in rows of one title each.

    Nodes are placed by their distances (Kamada and Kawai, 1989), in large graphs by springs, and
    coloured by degree.

    Args:
        rows: Title and graphs of each row; graphs that do not fit are left out.
        path: The picture, .png, .svg or .pdf.
        columns: Graphs in a row.

    Raises:
        InputError: The suffix is another, or there is nothing to plot.
    """
    if not any(graphs for _, graphs in rows):
        raise InputError("there is no graph to plot; give at least one.")
    from matplotlib.figure import Figure

    with figures.house_style():
        figure = Figure(figsize=(CELL * columns, (CELL + 0.25) * len(rows)))
        cells = figure.subplots(len(rows), columns, squeeze=False)
        for (title, graphs), line in zip(rows, cells, strict=True):
            line[0].set_title(title)
            for cell in line:
                cell.axis("off")
            for graph, cell in zip(graphs, line, strict=False):
                _draw(graph, cell)
        figure.tight_layout(pad=0.3)
        figures.save(figure, path, dpi=110)


def _draw(graph: "nx.Graph[Any]", cell: "Axes") -> None:
    """Draw a graph into a square in which all of it has room."""
    import networkx as nx

    at = _layout(nx.Graph(graph))
    size = 4 * max(1.5, 120 / max(len(graph), 8))
    style: dict[str, Any] = {"width": 0.4, "edge_color": "0.5"}
    if graph.is_directed():  # short arrows between small nodes, so that they have shafts
        size /= 4
        style |= {"width": 0.6, "node_size": size, "arrowsize": 6}
    nx.draw_networkx_edges(graph, at, ax=cell, **style)
    degrees = list(dict(graph.degree).values())
    nx.draw_networkx_nodes(graph, at, ax=cell, node_size=size, node_color=degrees, cmap="viridis")
    places = np.array(list(at.values())).reshape(-1, 2)
    if len(places):
        low, high = places.min(0), places.max(0)
        half = 0.58 * max(float((high - low).max()), 0.1)
        x, y = (low + high) / 2
        cell.set(xlim=(x - half, x + half), ylim=(y - half, y + half))
    cell.set_aspect("equal")


def _layout(graph: "nx.Graph[Any]") -> "Mapping[Any, NDArray[Any]]":
    import networkx as nx

    if len(graph) > LARGE:
        return nx.spring_layout(graph, seed=0, iterations=60)
    if len(graph) < 2:
        return nx.spring_layout(graph, seed=0)
    return nx.kamada_kawai_layout(graph)
