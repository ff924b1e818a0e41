"""Isomorphism classes against networkx."""

from collections.abc import Sequence

import networkx as nx
import numpy as np

from graphs.metrics.plain.adjacency import Adjacency, adjacencies, to_networkx
from graphs.metrics.plain.isomorphism import colour_key, colours, isomorphic, isomorphism_classes
from tests.graphs.metrics.graphs import shuffled


def classes(graphs: Sequence[Adjacency]) -> list[int]:
    return isomorphism_classes(graphs, colour_key, isomorphic)


def test_isomorphism_agrees_with_networkx() -> None:
    graphs = adjacencies(nx.graph_atlas_g()[1:150])
    numbers = classes([*graphs, *(shuffled(graph, i) for i, graph in enumerate(graphs))])
    assert numbers == [*range(149), *range(149)]  # the atlas lists every graph once
    for a, b in zip(graphs, graphs[1:], strict=False):
        assert isomorphic(a, b) == nx.is_isomorphic(to_networkx(a), to_networkx(b))


def test_colours_alone_do_not_decide() -> None:
    """Colour refinement cannot tell two triangles from a hexagon, so VF2 has to."""
    hexagon, triangles = adjacencies(
        [nx.cycle_graph(6), nx.disjoint_union(nx.cycle_graph(3), nx.cycle_graph(3))]
    )
    assert np.array_equal(colours(hexagon), colours(triangles))
    assert classes([hexagon, triangles, shuffled(hexagon, 1)]) == [0, 1, 0]
