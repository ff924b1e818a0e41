"""Graphs become SMILES again, as they are or corrected."""

import pytest
import torch

from graphs.chem import (
    ParseOptions,
    canonical,
    collect_molecules,
    corrected,
    is_connected,
    to_smiles,
)
from graphs.data.batch import GraphBatch, Vocabulary
from refine_core.errors import InputError
from tests.graphs.chem.molecules import MOLECULES, PLAIN, READINGS, graph


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


def test_names_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="'Xx' is not the name of an atom"):
        to_smiles(graph(["C"]), Vocabulary(("Xx",), PLAIN.edges))
    with pytest.raises(InputError, match="'HALF' is not the name"):
        to_smiles(graph(["C"]), Vocabulary(("C",), ("HALF",)))
