"""Laws of molecules as graphs of fragments."""

import random

import pytest
import torch
from rdkit import Chem

from graphs.chem.collection import collect_molecules
from graphs.chem.fragments import Cut, Fragment, apart, cut, is_atom, tables
from graphs.chem.labels import BOND_TYPES, BONDS
from graphs.chem.mining import with_mined
from graphs.chem.parser import ParseOptions, parse
from graphs.chem.smiles import assemble, atomic, molecule_smiles, to_smiles

MOLECULES = [
    "CC(=O)Oc1ccccc1C(=O)O",
    "CN1C=NC2=C1C(=O)N(C(=O)N2C)C",
    "c1cc[nH]c1-c1ccncc1",
    "C[N+](C)(C)CC(=O)[O-]",
    "O=[N+]([O-])c1ccc2c(c1)OCO2",
    "CS(=O)(=O)N1CCC2(CC1)CCNC2",
    "C#CC1CC1C#N",
    "Oc1ccccn1",
    "O=c1cccc[nH]1",
    "CN1C=CCC1=O",
    "C1CC2CCC1CC2",
]


def back(found: Cut) -> str | None:
    bonds = [(i, j, BOND_TYPES[BONDS[kind - 1]]) for i, j, kind in found.bonds]
    molecule = assemble(found.names, bonds, hydrogens=False, sites=found.sites)
    return molecule and molecule_smiles(molecule)


@pytest.mark.parametrize("smiles", MOLECULES)
def test_fragments_give_the_molecule_back(smiles: str) -> None:
    molecule = Chem.MolFromSmiles(smiles)
    found = cut(molecule)
    names = [name for name in found.names if not is_atom(name)]
    assert back(found) == Chem.CanonSmiles(smiles)
    assert len(found.bonds) == len(found.names) - 1, "a tree"
    for known in (names, names[::2], []):
        assert back(apart(found, known)) == Chem.CanonSmiles(smiles)


@pytest.mark.parametrize("smiles", MOLECULES)
def test_fragments_do_not_depend_on_the_order_of_atoms(smiles: str) -> None:
    molecule = Chem.MolFromSmiles(smiles)
    order = list(range(molecule.GetNumAtoms()))
    random.Random(0).shuffle(order)
    moved = cut(Chem.RenumberAtoms(molecule, order))
    assert sorted(moved.names) == sorted(cut(molecule).names)
    assert back(moved) == Chem.CanonSmiles(smiles)


def test_symmetries_are_a_group_that_keeps_what_is_known() -> None:
    found = tables(["C", "c1ccccc1", "C=O", "O=[SH2]=O", "c1cn[nH]c1", "C1CC1"])
    for row in range(6):
        turns = {tuple(turn) for turn in found.symmetries[row].tolist()}
        for a in turns:
            assert tuple(found.free[row][list(a)].tolist()) == tuple(found.free[row].tolist())
            assert torch.equal(found.distance[row][list(a)][:, list(a)], found.distance[row])
            assert all(tuple(a[i] for i in b) in turns for b in turns)
    assert [len({tuple(t) for t in found.symmetries[k].tolist()}) for k in (1, 5)] == [12, 6]
    assert found.free[3].tolist()[:3] == [0, 2, 0], (
        "the sulfur of a sulfonyl group takes two bonds"
    )


def test_a_fragment_with_too_many_symmetries_is_taken_to_have_none() -> None:
    cubane = "C12C3C4C1C5C2C3C45"
    assert len(Fragment.named(Chem.CanonSmiles(cubane)).symmetries) in (1, 48)


def test_what_is_frequent_is_found_and_the_rest_comes_apart() -> None:
    texts = ["Cc1ccccc1", "Oc1ccccc1", "CC(=O)C", "CC#N"]
    options = with_mined(texts, ParseOptions(mined=1), quiet=True)
    assert options.fragments == ("c1ccccc1",)
    store = collect_molecules(texts, options, quiet=True).store
    assert store.vocabulary.nodes == ("C", "N", "O", "c1ccccc1")
    assert store.vocabulary.molecular and store.vocabulary.has_fragments
    batch = store[torch.arange(4)][0]
    assert to_smiles(batch, store.vocabulary) == [Chem.CanonSmiles(text) for text in texts]
    assert store.sizes.tolist() == [2, 2, 4, 3]


def test_graphs_of_fragments_become_graphs_of_atoms() -> None:
    options = with_mined(MOLECULES, ParseOptions(mined=50), quiet=True)
    store = collect_molecules(MOLECULES, options, quiet=True).store
    graphs = atomic(store[torch.arange(len(store))][0], store.vocabulary)
    assert graphs[0].sites is None
    assert to_smiles(*graphs) == [Chem.CanonSmiles(text) for text in MOLECULES]


def test_labels_outside_of_a_vocabulary_are_named() -> None:
    options = with_mined(["Cc1ccccc1"], ParseOptions(mined=1), quiet=True)
    store = collect_molecules(["Cc1ccccc1"], options, quiet=True).store
    known = ParseOptions(fragments=options.fragments, vocabulary=store.vocabulary)
    assert parse("CBr", known) == "it has Br, outside the vocabulary C, c1ccccc1"
    assert not isinstance(parse("CC", known), str)
