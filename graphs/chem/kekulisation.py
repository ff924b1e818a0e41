"""Kekulisation: single and double bonds in place of aromatic ones."""

import torch
from rdkit import Chem
from rdkit.rdBase import BlockLogs
from torch import Tensor

from graphs.chem.labels import BOND_NUMBERS, BONDS
from graphs.chem.smiles import drafts
from graphs.data.batch import GraphBatch, Vocabulary


def kekulised(batch: GraphBatch, vocabulary: Vocabulary) -> tuple[GraphBatch, Vocabulary, Tensor]:
    """Replace aromatic bonds of b graphs by single and double ones; valences are not checked.

    Returns:
        The graphs, their vocabulary, whose bonds are `BONDS`, and (b,) bool, False where RDKit
        cannot kekulise a graph, which keeps its aromatic bonds.

    Raises:
        InputError: The vocabulary does not name atoms and bonds.
    """
    able: list[bool] = []
    labels: list[int] = []
    with BlockLogs():
        for molecule in drafts(batch, vocabulary):
            molecule.UpdatePropertyCache(strict=False)
            try:
                Chem.Kekulize(molecule, clearAromaticFlags=True)
                able.append(True)
            except Chem.MolSanitizeException:
                able.append(False)
            bonds = [molecule.GetBondWithIdx(k) for k in range(molecule.GetNumBonds())]
            labels += [BOND_NUMBERS[bond.GetBondType()] for bond in bonds]
    graph, i, j = torch.nonzero(batch.edges.triu(1), as_tuple=True)
    edges = torch.zeros_like(batch.edges)
    edges[graph, i, j] = edges[graph, j, i] = torch.tensor(labels, dtype=edges.dtype)
    found = GraphBatch(batch.nodes, edges, batch.valid)
    return found, Vocabulary(vocabulary.nodes, BONDS), torch.tensor(able)
