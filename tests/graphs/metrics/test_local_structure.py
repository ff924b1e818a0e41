"""Local structures: named without regard to order, and telling apart what differs nearby."""

import random
from typing import Any

import networkx as nx
import numpy as np
import pytest
from numpy.typing import NDArray

from graphs.metrics.local_structure import PAIRS, local_structure_counts

SIZE = 2**16
GRAPHS = [
    nx.gnp_random_graph(12, 0.4, seed=1),
    nx.grid_2d_graph(4, 5),
    nx.gnp_random_graph(10, 0.3, seed=2, directed=True),
    nx.empty_graph(3),
    nx.empty_graph(0),
]


def _count(graph: "nx.Graph[Any]") -> NDArray[np.float64]:
    return local_structure_counts([graph], SIZE).toarray()[0]  # type: ignore[no-any-return]


@pytest.mark.parametrize("graph", GRAPHS)
def test_counts_do_not_depend_on_the_order_of_nodes(graph: "nx.Graph[Any]") -> None:
    order = list(graph)
    random.Random(0).shuffle(order)
    again = type(graph)()
    again.add_nodes_from(reversed(order))
    again.add_edges_from(sorted(graph.edges(), key=lambda edge: order.index(edge[0])))
    assert (_count(graph) == _count(again)).all()


def test_structures_are_those_of_a_count_by_hand() -> None:
    """A square with a chord: two nodes of three edges, two of two, and both triangles share it."""
    found = np.sort(_count(nx.Graph([(0, 1), (1, 2), (2, 3), (3, 0), (0, 2)])))
    # Nodes 2 and 2; ends 4 and the chord; edges of one common neighbour 4, of two the chord; one
    # pair apart, whose common neighbours are joined.
    assert found[found > 0].tolist() == [1, 1, 1, 2, 2, 4, 4]
    apart = _count(nx.cycle_graph(4))  # two pairs apart, whose common neighbours are not joined
    assert apart[apart > 0].tolist().count(2) == 1


def test_directions_and_labels_are_told_apart() -> None:
    there, back = nx.DiGraph([(0, 1), (0, 2)]), nx.DiGraph([(1, 0), (2, 0)])
    assert (_count(there) != _count(back)).any()
    plain, marked, bonds = nx.path_graph(3), nx.path_graph(3), nx.path_graph(3)
    nx.set_node_attributes(marked, {0: "a", 1: "b", 2: "a"}, "label")
    assert (_count(plain) != _count(marked)).any()
    for *_, attributes in bonds.edges(data=True):
        attributes["label"] = "x"
    assert (_count(plain) != _count(bonds)).any()


def test_many_pairs_are_gone_through_in_parts() -> None:
    graph = nx.complete_bipartite_graph(3, 100)  # 4,950 pairs have three neighbours in common
    assert 100 * 99 / 2 > PAIRS
    assert 100 * 99 / 2 in _count(graph)
