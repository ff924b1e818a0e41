"""Molecules to graphs and back; RDKit itself is only met through `graphs.chem`."""

import numpy as np
import pytest
import torch

from graphs.chem import (
    ParseOptions,
    canonical,
    collect_molecules,
    corrected,
    is_connected,
    parse,
    to_graphs,
    to_smiles,
    workers,
)
from graphs.chem.labels import atom_name, atom_number
from graphs.data.batch import GraphBatch, Vocabulary
from refine_core.errors import InputError

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


@pytest.mark.parametrize("reading", READINGS, ids=str)
def test_smiles_in_is_smiles_out_under_any_relabelling_and_padding(reading: ParseOptions) -> None:
    found = collect_molecules(MOLECULES, reading, quiet=True)
    assert not found.skipped
    (batch,) = found.store[torch.arange(len(MOLECULES))]
    expected = [canonical(smiles) for smiles in MOLECULES]
    assert found.store.text(torch.arange(len(MOLECULES))) == expected
    assert to_smiles(batch, found.store.vocabulary) == expected
    order = torch.rand(batch.valid.shape).argsort(1)  # padding ends up in between
    assert to_smiles(batch.permute(order), found.store.vocabulary) == expected


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


@pytest.mark.parametrize("element", [1, 6, 35, 118])
@pytest.mark.parametrize("charge", [-3, -1, 0, 1, 4])
def test_atom_numbers_are_distinct_and_have_names(element: int, charge: int) -> None:
    number = atom_number(element, charge, False)
    assert number != atom_number(element, charge, True) != atom_number(element, -charge, False)
    assert atom_name(number).endswith(f"{charge:+d}" if charge else "")
    assert number >= atom_number(element, 0, False)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("C1CC", "not a SMILES"),
        ("hello world", "not a SMILES"),
        ("", "no atoms"),
        ("CC(C)(C)(C)C", "alence"),
        ("c1cccc1", "ekul"),
        ("C[CH2]", "radical"),
        ("*C", "wildcard"),
        ("[H][H]", "hydrogen that no bond implies"),
        ("N->[Fe]", "bond of type DATIVE"),
        ("C" * 201, "201 atoms, more than the 200"),
        ("O=[PH2]O", "not recovered"),
    ],
)
def test_refused_with_the_reason(text: str, reason: str) -> None:
    found = parse(text)
    assert isinstance(found, str) and reason in found


def test_what_labels_cannot_hold_is_dropped_and_counted() -> None:
    texts = ["[13CH4]", "C[C@H](N)O", "F/C=C/F", "[2H]C([2H])[2H]", "[CH3:1]O", "CC.O", "CC"]
    found = collect_molecules(texts, ParseOptions(), quiet=True)
    expected = ["C", "CC(N)O", "FC=CF", "C", "CO", "CC.O", "CC"]
    assert found.store.text(torch.arange(7)) == expected
    counts = {"isotopes": 2, "stereochemistry": 2, "atom maps": 1}
    assert found.store.report == {"kept": 7, "skipped": 0, "dropped": counts}
    largest = collect_molecules(texts, ParseOptions(largest_fragment=True), quiet=True)
    assert largest.store.smiles(5) == "CC"
    assert largest.store.report["dropped"] == {**counts, "smaller fragments": 1}


def test_raw_writing_repairs_nothing() -> None:
    five = graph(["C"] * 6, *((0, k, "SINGLE") for k in range(1, 6)))
    triple = graph(["O", "C"], (0, 1, "TRIPLE"))
    apart = graph(["C", "O", "C"], (0, 2, "SINGLE"))
    nothing = GraphBatch(
        *(
            torch.zeros(1, *shape).to(kind)
            for shape, kind in [((2,), torch.int64), ((2, 2), torch.int64), ((2,), torch.bool)]
        )
    )
    assert [to_smiles(batch, PLAIN) for batch in (five, triple, nothing)] == [[None]] * 3
    assert to_smiles(apart, PLAIN) == ["CC.O"] and not is_connected("CC.O")
    ring = Vocabulary(("C",), ("AROMATIC",))
    five_ring = graph(
        ["C"] * 5, *((k, (k + 1) % 5, "AROMATIC") for k in range(5)), vocabulary=ring
    )
    assert to_smiles(five_ring, ring) == [None]
    explicit = Vocabulary(("H", "C"), ("SINGLE",))
    methyl = graph(
        ["C", "H", "H", "H"], *((0, k, "SINGLE") for k in (1, 2, 3)), vocabulary=explicit
    )
    assert to_smiles(methyl, explicit) == [None]


def test_correction_weakens_the_strongest_offending_bond() -> None:
    triple = graph(["O", "C"], (0, 1, "TRIPLE"))
    assert corrected(triple, PLAIN) == ["C=O"]
    five = graph(["C"] * 6, *((0, k, "SINGLE") for k in range(1, 6)))
    assert corrected(five, PLAIN) == ["CC(C)(C)C"]
    fluorine = graph(["C", "F", "C", "C"], (0, 1, "SINGLE"), (1, 2, "SINGLE"), (2, 3, "SINGLE"))
    assert corrected(fluorine, PLAIN) in (["CCF"], ["CC"])
    long = ["N+1", "N+1", *"CCCCCCC"]  # the shorter name is of the larger fragment
    chain = ((k, k + 1, "SINGLE") for k in range(3, 8))
    apart = graph(long, (0, 1, "SINGLE"), (1, 2, "SINGLE"), *chain)
    assert to_smiles(apart, PLAIN) == ["CCCCCC.C[NH2+][NH3+]"]
    assert corrected(apart, PLAIN) == ["CCCCCC"]
    valid = collect_molecules(MOLECULES[:9], ParseOptions(), quiet=True).store
    (batch,) = valid[torch.arange(9)]
    assert corrected(batch, valid.vocabulary) == to_smiles(batch, valid.vocabulary)


def test_correction_leaves_no_random_graph_invalid() -> None:
    edges = torch.randint(0, 4, (200, 7, 7)).triu(1)
    edges = edges * (torch.rand(edges.shape) < 0.5)
    batch = GraphBatch(
        torch.randint(0, 4, (200, 7)), edges + edges.mT, torch.ones(200, 7, dtype=torch.bool)
    )
    raw, repaired = to_smiles(batch, PLAIN), corrected(batch, PLAIN)
    assert 0 < sum(smiles is not None for smiles in raw) < 200
    for smiles in repaired:
        assert smiles is not None and canonical(smiles) == smiles and is_connected(smiles)


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


def test_workers_return_what_one_process_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "CHUNK", 100)
    texts = [smiles for smiles in [*MOLECULES, "C1CC", "C[CH2]"] for _ in range(40)]
    alone, shared = (
        collect_molecules(texts, ParseOptions(), workers=workers, quiet=True) for workers in (1, 2)
    )
    assert alone.skipped == shared.skipped and len(alone.skipped) == 80
    assert np.array_equal(alone.kept, shared.kept)
    assert alone.store.report == shared.store.report
    for name, array in vars(alone.store.arrays).items():
        assert np.array_equal(array, getattr(shared.store.arrays, name)), name
