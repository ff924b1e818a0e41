"""The Frechet ChemNet distance against the package whose network it takes."""

import pytest

from graphs.metrics import fcd
from tests.graphs.metrics.molecules import VALID


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of numpy and scipy, in fcd_torch
def test_fcd_equals_the_package_it_takes_the_network_from() -> None:
    from fcd_torch import FCD

    other = ["CCO", "CCN", "CC(=O)O", "C1CC1", "c1ccccc1"]
    first, second = (fcd.moments(fcd.activations(smiles)) for smiles in (VALID, other))
    found = fcd.frechet(*first, *second)
    assert found == pytest.approx(FCD()(VALID, other), rel=1e-5)
    assert found == pytest.approx(fcd.frechet(*second, *first))
    assert fcd.frechet(*second, *second) == pytest.approx(0, abs=1e-5)
