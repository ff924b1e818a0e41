"""Scores of single molecules, and the filters of MOSES."""

import pytest

from graphs.chem.scores import PROPERTIES, Filters, scores
from refine_core.errors import InputError


def test_properties_of_the_first_molecules_of_the_moses_test_set() -> None:
    published = {
        "CC1C2CCC(C2)C1CN(CCO)C(=O)c1ccc(Cl)cc1": (3.4567, 4.128087185, 0.901948328, 321.848),
        "COc1ccc(-c2cc(=O)c3c(O)c(OC)c(OC)cc3o2)cc1O": (2.897, 2.371637189, 0.750637704, 344.319),
        "CCOC(=O)c1ncn2c1CN(C)C(=O)c1cc(F)ccc1-2": (1.7737, 2.528453244, 0.793247745, 303.293),
    }
    for smiles, values in published.items():
        found = scores(smiles).properties
        assert [found[name] for name in PROPERTIES] == pytest.approx(values, rel=1e-8)


def test_filters() -> None:
    sieve = Filters(["[#6]=&!@[#6]-[#6]#[#7]"])
    assert sieve.passes("CCO")
    rejected = {
        "C=CC#N": "the SMARTS given",
        "CC[O-]": "a charge",
        "CCP": "phosphorus",
        "C1CCCCCCC1": "a ring of eight",
        "O=C1C=CC(=O)C=C1": "PAINS quinone",
    }
    assert [smiles for smiles in rejected if sieve.passes(smiles)] == []
    assert Filters([]).passes("C=CC#N")
    with pytest.raises(InputError, match="'C\\(', which is not SMARTS"):
        Filters(["C", "C("])
