"""Molecules and graphs for the tests of chemistry."""

import torch

from graphs.chem import (
    ParseOptions,
)
from graphs.data.batch import GraphBatch, Vocabulary

MOLECULES = [
    "C",
    "c1ccccc1",
    "c1cc[nH]c1",
    "c1ccc2[nH]ccc2c1",
    "c1cc[nH+]cc1",
    "C[N+](C)(C)CC(=O)[O-]",
    "[C-]#[O+]",
    "CC#N",
    "O=[N+]([O-])c1ccccc1",
    "CS(=O)(=O)N",
    "[NH4+].[Cl-]",
    "N#CC1=CC2CC12",
    "O=c1[nH]cnc2[nH]cnc12",
    "FC(Cl)Br",
    "c1ccc(cc1)-c1ccccc1",
    "OP(O)(O)=O",
    "[O-]Cl(=O)(=O)=O.[Na+]",
    "C1=CC=CC=CC=C1",
    "c1ccc2cccc-2cc1",
]


READINGS = [
    ParseOptions(hydrogens=hydrogens, aromatic=aromatic)
    for hydrogens in (False, True)
    for aromatic in (False, True)
]


PLAIN = Vocabulary(("C", "N", "O", "F", "N+1", "O-1"), ("SINGLE", "DOUBLE", "TRIPLE"))


def graph(
    nodes: list[str], *edges: tuple[int, int, str], vocabulary: Vocabulary = PLAIN
) -> GraphBatch:
    """A batch of one graph, given by names."""
    labels = torch.tensor([[vocabulary.nodes.index(name) for name in nodes]], dtype=torch.int64)
    bonds = torch.zeros(1, len(nodes), len(nodes), dtype=torch.int64)
    for i, j, name in edges:
        bonds[0, i, j] = bonds[0, j, i] = 1 + vocabulary.edges.index(name)
    return GraphBatch(labels, bonds, torch.ones(1, len(nodes), dtype=torch.bool))
