"""Fragments are ranked by the molecules that have them."""

from graphs.chem.mining import FragmentCounts, count_fragments, with_mined
from graphs.chem.parser import ParseOptions


def test_names_are_ranked_by_the_molecules_that_have_them() -> None:
    found = FragmentCounts.of([["C=O", "C=O", "C=O"], ["C#N"], ["C#N", "C"], ["C"]])
    assert found.names == ("C#N", "C=O") and found.molecules.tolist() == [2, 1]
    assert [found.covered(count) for count in (0, 1, 2)] == [0.25, 0.75, 1]


def test_those_that_several_molecules_have_are_taken_by_themselves() -> None:
    texts = ["c1ccccc1" + "C" * k for k in range(5)] + ["C1CC1", "not a SMILES"]
    assert count_fragments(texts, quiet=True).learnable == 1
    options = with_mined(texts, ParseOptions(mined="auto"), quiet=True)
    assert options.fragments == ("c1ccccc1",) and options.mined == 0
    assert with_mined(texts, ParseOptions(mined=2), quiet=True).fragments == ("c1ccccc1", "C1CC1")
    assert with_mined(["C"], ParseOptions(mined="auto"), quiet=True).fragments == ()
