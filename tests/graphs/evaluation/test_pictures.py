"""Pictures of graphs: nothing is cropped, arrows have shafts."""

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from graphs.evaluation.pictures import plot_graphs
from refine_core.app import figures


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Figures in place of files."""
    found: list[Figure] = []
    monkeypatch.setattr(figures, "save", lambda figure, path, **_: found.append(figure))
    return found


def test_every_node_is_inside_its_cell(drawn: list[Figure]) -> None:
    graphs = [nx.path_graph(2), nx.path_graph(9), nx.star_graph(5), nx.empty_graph(1)]
    plot_graphs([("a", graphs), ("b", [nx.DiGraph([(0, 1), (1, 0), (1, 2)])])], Path("x.png"))
    cells = [cell for cell in drawn[0].axes if cell.collections]
    assert len(cells) == 5
    for cell in cells:
        places = np.concatenate([np.asarray(c.get_offsets()) for c in cell.collections])
        box = np.array([cell.get_xlim(), cell.get_ylim()])
        margin = 0.05 * (box[:, 1] - box[:, 0])
        assert (places > box[:, 0] + margin).all() and (places < box[:, 1] - margin).all()
        assert np.isclose(*(box[:, 1] - box[:, 0]))


def test_arrows_have_shafts(drawn: list[Figure]) -> None:
    graphs = [nx.path_graph(9, create_using=nx.DiGraph), nx.gn_graph(14, seed=1)]
    plot_graphs([("directed", graphs)], Path("x.png"))
    points = 72 / drawn[0].dpi
    for cell in drawn[0].axes[:2]:
        arrows = [patch for patch in cell.patches if isinstance(patch, FancyArrowPatch)]
        assert len(arrows) in (8, 13)
        for arrow in arrows:
            start, end = cell.transData.transform(arrow._posA_posB)  # type: ignore[attr-defined]
            shaft = float(np.hypot(*(end - start))) * points - arrow.shrinkA - arrow.shrinkB
            assert shaft > 0.8 * arrow.get_mutation_scale(), "longer than two heads"
