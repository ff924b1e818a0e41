"""Stores of molecules: labels, what is dropped, vocabularies given."""

import pytest
import torch

from graphs.chem import (
    ParseOptions,
    collect_molecules,
    to_graphs,
    to_smiles,
)
from graphs.data.batch import Vocabulary
from refine_core.errors import InputError
from tests.graphs.chem.molecules import PLAIN


def test_labels_hold_charge_kekule_bonds_and_what_was_asked_for() -> None:
    plain = collect_molecules(
        ["C[N+](C)(C)C", "c1cc[nH]c1", "[O-]C=O"], ParseOptions(), quiet=True
    )
    assert plain.store.vocabulary == Vocabulary(("C", "N", "O", "N+1", "O-1"), PLAIN.edges[:2])
    bonds = plain.store[torch.tensor([1])][0].edges[0].triu().flatten()
    assert bonds.bincount().tolist()[1:] == [3, 2]
    aromatic = collect_molecules(
        ["c1cc[nH]c1", "c1ccncc1"], ParseOptions(aromatic=True), quiet=True
    )
    assert aromatic.store.vocabulary == Vocabulary(("C", "N", "NH"), ("AROMATIC",))
    explicit = collect_molecules(["CO"], ParseOptions(hydrogens=True), quiet=True).store
    assert explicit.vocabulary.nodes == ("H", "C", "O") and explicit.sizes.tolist() == [6]


def test_what_labels_cannot_hold_is_dropped_and_counted() -> None:
    texts = ["[13CH4]", "C[C@H](N)O", "F/C=C/F", "[2H]C([2H])[2H]", "[CH3:1]O", "CC.O", "CC"]
    found = collect_molecules(texts, ParseOptions(), quiet=True)
    expected = ["C", "CC(N)O", "FC=CF", "C", "CO", "CC.O", "CC"]
    assert found.store.text(torch.arange(7)) == expected
    counts = {"isotopes": 2, "stereochemistry": 2, "atom maps": 1}
    report = {"kept": 7, "skipped": 0, "dropped": counts, "in several pieces": 1}
    assert found.store.report == report
    largest = collect_molecules(texts, ParseOptions(largest_fragment=True), quiet=True)
    assert largest.store.smiles(5) == "CC"
    assert largest.store.report["dropped"] == {**counts, "smaller fragments": 1}


def test_scaffolds_for_a_model() -> None:
    batch = to_graphs(["c1ccccc1", "CC"], PLAIN)
    assert to_smiles(batch, PLAIN) == ["c1ccccc1", "CC"]
    for smiles, sentence in [
        ("C1CC", "'C1CC' cannot be used: it is not a SMILES"),
        ("CBr", "it has Br, outside the vocabulary C, N, O, F, N"),
        ("C" * 400, "it has 400 atoms, more than the 200 allowed"),
    ]:
        with pytest.raises(InputError, match=sentence):
            to_graphs(["CC", smiles], PLAIN)
