"""Properties of molecules."""

import numpy as np
import pytest

from graphs.chem.properties import PROPERTIES, property_values
from refine_core.errors import InputError


def test_properties_of_known_molecules() -> None:
    values = property_values(["CC(=O)Oc1ccccc1C(=O)O", None], list(PROPERTIES))
    aspirin = {name: column[0] for name, column in values.items()}
    assert aspirin["weight"] == pytest.approx(180.16, abs=0.01)
    assert aspirin["tpsa"] == pytest.approx(63.6, abs=0.01)
    assert aspirin["logp"] == pytest.approx(1.31, abs=0.01)
    assert aspirin["qed"] == pytest.approx(0.55, abs=0.01)
    assert aspirin["sa"] == pytest.approx(1.58, abs=0.01)
    whole = ("atoms", "rings", "aromatic_rings", "donors", "acceptors", "charge")
    assert [aspirin[name] for name in whole] == [13, 1, 1, 1, 3, 0]
    assert all(np.isnan(column[1]) for column in values.values())
    with pytest.raises(InputError, match="Did you mean 'logp'"):
        property_values(["C"], ["logP2"])
