"""Metrics of molecules against published values and direct computations."""

from math import isnan, log10

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from graphs.chem.scores import PROPERTIES
from graphs.metrics.molecules import distribution_metrics, evaluate_molecules
from graphs.metrics.summary import summarise
from refine_core.errors import InputError
from tests.graphs.metrics.molecules import GENERATED, TEST, VALID


def test_moses_publishes_these_values() -> None:
    report = evaluate_molecules(GENERATED, TEST, TEST, filters=[], reference=False)
    published = {
        "valid": 2 / 3,
        "unique": 1.0,
        "fcd": 52.58371754126664,
        "snn": 0.3152585653588176,
        "frag": 0.3,
        "scaf": 0.5,
        "int_div": 0.7189187309761661,
        "filters": 0.75,
        "logp": 1.63229,
        "qed": 0.20370891752648637,
        "weight": 106.87,
        # RDKit now counts the phosphorus of CCCP as a centre of stereochemistry, which adds
        # log10(2) to one of four molecules before the score is scaled to 1..10.
        "sa": 0.5238335295121783 + log10(2) * 9 / 6.5 / 4,
    }
    assert {name: report[name] for name in published} == pytest.approx(published, rel=1e-6)


def test_validity_counts() -> None:
    smiles = [
        "CCO",
        "OCC",  # the same
        "C[C@H](O)F",
        "C[C@@H](O)F",  # the same without stereochemistry
        "[NH4+].[Cl-]",  # two pieces
        "CC.CCC",  # two pieces, the larger is in the training set
        "C(C)(C)(C)(C)C",  # five bonds at carbon
        "c1cccc1",  # cannot be kekulised
        "hello",
        "",
        None,
    ]
    report = evaluate_molecules(smiles, ["CCC", "CCCC"], TEST, reference=False)
    assert report["count"] == 11
    assert report["valid"] == 6 / 11 and report["valid_connected"] == 4 / 11
    assert report["unique"] == 4 / 6  # ethanol, fluoroethanol, ammonium, propane
    assert report["novel"] == 3 / 4 and report["valid_unique_novel"] == 3 / 11
    assert report["snn"] >= 0 and "fcd_train" not in report


def test_training_molecules_are_recognised_however_written() -> None:
    report = evaluate_molecules(["CCO", "CC(O)F"], ["OCC", "C[C@H](F)O"], TEST, reference=False)
    assert report["novel"] == 0


def test_nothing_valid_leaves_nothing_to_measure() -> None:
    report = evaluate_molecules([None, "hello"], TEST, TEST, filters=[])
    assert report["valid"] == report["valid_unique_novel"] == 0
    names = ("unique", "novel", "fcd", "nspdk", "snn", "frag", "scaf", "qed", "int_div", "filters")
    assert all(isnan(report[name]) for name in names)


def test_train_is_what_the_training_molecules_reach() -> None:
    train = ["CCO", "CCN", "CCC", "Oc1ccccc1", "CC#N", "CCF"]
    report = evaluate_molecules(["CO", "CN"], train, TEST)
    expected = distribution_metrics(summarise(["CCO", "Oc1ccccc1"]), summarise(TEST))
    found = {name: report[f"{name}_train"] for name in expected}
    assert found == pytest.approx(expected, nan_ok=True)


def test_rings_and_known_scaffolds_are_counted() -> None:
    smiles = ["C1CC1c1ccccc1", "C1CCC1", "CCO", "C1CCCCCCC1C1CC1", "c1ccc2ccccc2c1"]
    test = ["Cc1ccc2ccccc2c1", "CCO"]
    report = evaluate_molecules(smiles, ["C1CC1", "C1CCC1", "CC"], test)
    found = {name: report[name] for name in ("rings_of_3", "rings_of_4", "larger_rings")}
    assert found == {"rings_of_3": 2 / 5, "rings_of_4": 1 / 5, "larger_rings": 1 / 5}
    assert report["rings_of_3_train"] == 1 / 3 and report["larger_rings_train"] == 0
    assert report["known_scaffold"] == 1 / 3  # of two rings and more


def test_wasserstein_distance_is_the_mean_gap_of_sorted_values() -> None:
    a, b = summarise(VALID), summarise([*TEST, "CCO", "CN1CC1"])
    report = distribution_metrics(a, b)
    for i, name in enumerate(PROPERTIES):
        x, y = np.sort(a.properties[:, i]), np.sort(b.properties[:, i])
        assert report[name] == pytest.approx(np.abs(x - y).mean())
        assert report[name] == pytest.approx(wasserstein_distance(x, y))


def test_wrong_lists_are_explained() -> None:
    with pytest.raises(InputError, match="no generated molecules"):
        evaluate_molecules([], TEST, TEST)
    with pytest.raises(InputError, match="training molecule 'hello'"):
        evaluate_molecules(["C"], ["CCO", "hello"], TEST)
