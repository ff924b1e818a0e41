"""Stability of hand-made molecules."""

import math

import pytest
import torch

from graphs.chem import ParseOptions, collect_molecules
from graphs.data.batch import GraphBatch, Vocabulary
from graphs.metrics.atom_stability import stability, valences
from refine_core.errors import InputError


def molecule(atoms: list[int], bonds: list[tuple[int, int, int]], size: int) -> GraphBatch:
    nodes = torch.zeros(1, size, dtype=torch.int64)
    nodes[0, : len(atoms)] = torch.tensor(atoms)
    edges = torch.zeros(1, size, size, dtype=torch.int64)
    for a, b, order in bonds:
        edges[0, a, b] = edges[0, b, a] = order
    return GraphBatch(nodes, edges, torch.arange(size)[None] < len(atoms))


def test_stability_with_explicit_hydrogens() -> None:
    vocabulary = Vocabulary(("H", "C", "O", "N+1"), ("SINGLE", "DOUBLE", "TRIPLE"))
    methane = molecule([1, 0, 0, 0, 0], [(0, i, 1) for i in range(1, 5)], 7)
    methyl = molecule([1, 0, 0, 0], [(0, i, 1) for i in range(1, 4)], 7)  # a hydrogen is missing
    ammonium = molecule([3, 0, 0, 0, 0], [(0, i, 1) for i in range(1, 5)], 7)
    carbon_dioxide = molecule([1, 2, 2], [(0, 1, 2), (0, 2, 2)], 7)
    parts = [methane, methyl, ammonium, carbon_dioxide]
    batch = GraphBatch(
        torch.cat([p.nodes for p in parts]),
        torch.cat([p.edges for p in parts]),
        torch.cat([p.valid for p in parts]),
    )
    assert stability(batch, vocabulary) == {"atom_stable": 16 / 17, "mol_stable": 3 / 4}


def test_stability_with_implicit_hydrogens() -> None:
    vocabulary = Vocabulary(("C", "O-1", "N"), ("SINGLE", "DOUBLE", "TRIPLE"))
    # Hydrogens fill the carbon; O-1 has two bonds where F would have one; N has four.
    batch = molecule([0, 1, 2], [(0, 1, 1), (1, 2, 1), (0, 2, 3)], 4)
    assert stability(batch, vocabulary) == {"atom_stable": 1 / 3, "mol_stable": 0.0}
    assert valences("S") == (2, 4, 6) and valences("Cl-1") == (0,)
    with pytest.raises(InputError, match="'red'"):
        stability(batch, Vocabulary(("C",), ("SINGLE", "red")))
    with pytest.raises(InputError, match="'Uuo'"):
        stability(batch, Vocabulary(("C", "Uuo", "N"), ("SINGLE", "DOUBLE", "TRIPLE")))


def test_aromatic_bonds_are_kekulised_where_that_can_be() -> None:
    store = collect_molecules(
        ["c1ccc2ccccc2c1", "c1cc[nH]c1", "CN"], ParseOptions(aromatic=True)
    ).store
    batch, vocabulary = store[torch.arange(3)][0], store.vocabulary
    assert "NH" in vocabulary.nodes and "AROMATIC" in vocabulary.edges
    assert stability(batch, vocabulary) == {"atom_stable": 1.0, "mol_stable": 1.0}
    batch.nodes[1][batch.valid[1]] = 0  # five C of a ring do not alternate
    found = stability(batch, vocabulary)
    assert found == {"atom_stable": 1.0, "mol_stable": pytest.approx(2 / 3)}
    batch.edges[2, 0, 1] = batch.edges[2, 1, 0] = vocabulary.edges.index("AROMATIC") + 1
    found = stability(batch[1:], vocabulary)  # nor does a chain
    assert math.isnan(found["atom_stable"]) and found["mol_stable"] == 0


def test_too_many_bonds_beside_aromatic_ones() -> None:
    vocabulary = Vocabulary(("C", "NH"), ("SINGLE", "DOUBLE", "TRIPLE", "AROMATIC"))
    ring = [(i, (i + 1) % 6, 4) for i in range(6)]
    both = molecule([0] * 9, [*ring, (6, 7, 3), (7, 8, 2)], 9)  # a fragment of C#C=C
    pyrrole = molecule([1, 0, 0, 0, 0], [(i, (i + 1) % 5, 4) for i in range(5)], 9)
    found = stability(GraphBatch.joined([both, pyrrole]), vocabulary)
    assert found == {"atom_stable": 13 / 14, "mol_stable": 1 / 2}
