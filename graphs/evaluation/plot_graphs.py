"""Pictures of graphs without labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refine_core.errors import InputError
from refine_core.storage.files import atomic_write

if TYPE_CHECKING:
    import networkx as nx

SIDE = 1.5  # of a graph's cell, in inches
LARGE = 150  # nodes from which the slower layout is left out


def draw_graphs(
    rows: Sequence[tuple[str, Sequence["nx.Graph[Any]"]]], path: str | Path, *, columns: int = 6
) -> None:
    """Draw graphs in rows of one title each, as `.png` or `.svg`.

    Nodes are placed by their distances (Kamada and Kawai, 1989), in large graphs by springs, and
    coloured by degree.

    Args:
        rows: Title and graphs of each row; what does not fit is left out.
        path: The picture.
        columns: Graphs in a row.

    Raises:
        InputError: The suffix is another, or there is nothing to draw.
    """
    path = Path(path)
    if path.suffix not in (".png", ".svg"):
        raise InputError(f"{path} has the suffix {path.suffix!r}; expected .png or .svg.")
    if not any(graphs for _, graphs in rows):
        raise InputError("there is no graph to draw; give one at least.")
    import networkx as nx
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(SIDE * columns, (SIDE + 0.25) * len(rows)), dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for (title, graphs), line in zip(rows, axes, strict=True):
        line[0].set_title(title, loc="left", fontsize=9)
        for place in line:
            place.axis("off")
        for graph, place in zip(graphs, line, strict=False):
            at = _layout(nx.Graph(graph))
            size = max(1.5, 120 / max(len(graph), 1))
            colour = list(dict(graph.degree).values())
            nx.draw_networkx_edges(graph, at, ax=place, width=0.4, edge_color="0.5")
            nx.draw_networkx_nodes(
                graph, at, ax=place, node_size=size * 4, node_color=colour, cmap="viridis"
            )
            place.set_aspect("equal")
    figure.tight_layout(pad=0.3)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:])


def _layout(graph: "nx.Graph[Any]") -> Any:
    import networkx as nx

    if len(graph) > LARGE:
        return nx.spring_layout(graph, seed=0, iterations=60)
    if len(graph) < 2:
        return nx.spring_layout(graph, seed=0)
    return nx.kamada_kawai_layout(graph)
