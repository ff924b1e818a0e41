"""The neighbourhood kernel against its definition on graphs with a node for every bond."""

from collections import Counter, defaultdict
from math import sqrt

import networkx as nx
import pytest

from graphs.chem.scores import Skeleton, skeleton
from graphs.metrics import nspdk

MOLECULES = ["CCO", "CC(=O)Nc1ccccc1", "C1CC2CC1C2", "C#N", "C", "CCCCCCCCCCCO", "OC1CC1(F)C#N"]
Pieces = dict[object, float]


def direct(molecule: Skeleton) -> Pieces:
    """Features, named by what they are, by breadth-first search from every atom."""
    graph: nx.Graph[object] = nx.Graph()
    for atom, symbol in enumerate(molecule.atoms):
        graph.add_node(atom, label=symbol, atom=True)
    for a, b, order in molecule.bonds:
        graph.add_node((a, b), label=order, atom=False)
        graph.add_edges_from([(a, (a, b)), ((a, b), b)])
    steps = dict(nx.all_pairs_shortest_path_length(graph, cutoff=8))
    shells = {}
    for atom in range(len(molecule.atoms)):
        at = defaultdict(list)
        for node, distance in steps[atom].items():
            at[distance].append((str(graph.nodes[node]["label"]), graph.degree[node]))
        shells[atom] = [tuple(sorted(at[d])) for d in sorted(at)]
    groups: defaultdict[tuple[int, int], Counter[object]] = defaultdict(Counter)
    for v in shells:
        for u in shells:
            distance = steps[v].get(u, 99)
            for radius in range(0, 9, 2):
                if distance <= 8 and radius < min(len(shells[v]), len(shells[u])):
                    mine, theirs = (tuple(shells[x][: radius + 1]) for x in (v, u))
                    pair = tuple(sorted([mine, theirs]))
                    groups[radius, distance]["both", radius, distance, pair] += 1
                    groups[radius, distance]["one", radius, distance, theirs] += 1
    return {
        name: count / sqrt(sum(c * c for c in counts.values())) / sqrt(len(groups))
        for counts in groups.values()
        for name, count in counts.items()
    }


def inner(a: dict[object, float] | Pieces, b: dict[object, float] | Pieces) -> float:
    return sum(value * b.get(name, 0.0) for name, value in a.items())


def as_pieces(smiles: str) -> Pieces:
    return dict(nspdk.features(skeleton(smiles)).items())


def test_kernel_equals_the_definition() -> None:
    for first in MOLECULES:
        assert inner(as_pieces(first), as_pieces(first)) == pytest.approx(1)
        for second in MOLECULES:
            expected = inner(direct(skeleton(first)), direct(skeleton(second)))
            assert inner(as_pieces(first), as_pieces(second)) == pytest.approx(expected)


def test_discrepancy_equals_the_double_loop() -> None:
    x, y = MOLECULES[:4], MOLECULES[3:]

    def mean(a: list[str], b: list[str]) -> float:
        return sum(inner(as_pieces(p), as_pieces(q)) for p in a for q in b) / len(a) / len(b)

    expected = mean(x, x) + mean(y, y) - 2 * mean(x, y)
    means = [nspdk.mean_features(map(skeleton, part)) for part in (x, y)]
    assert nspdk.discrepancy(*means) == pytest.approx(expected)
    assert nspdk.discrepancy(means[0], means[0]) == 0


def test_names_of_features_do_not_depend_on_the_order_of_atoms() -> None:
    assert as_pieces("OCC(F)C#N") == pytest.approx(as_pieces("N#CC(F)CO"))
