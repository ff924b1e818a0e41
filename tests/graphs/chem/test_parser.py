"""Texts become graphs, or are refused with the reason."""

import pytest

from graphs.chem import (
    parse,
)


@pytest.mark.parametrize("text", ["C[Hg]Cl", "[Hf]", "[He]", "Cl[Hf](Cl)(Cl)Cl", "[Hg+2]"])
def test_elements_whose_names_begin_as_hydrogen_are_no_hydrogen(text: str) -> None:
    found = parse(text)
    assert not isinstance(found, str) and any("H" in name for name in found.atoms)


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
