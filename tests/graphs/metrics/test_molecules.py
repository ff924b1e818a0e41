"""Metrics of molecules against published values and direct computations."""

from collections import Counter
from math import isnan, log10
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from graphs.chem.scores import PROPERTIES, Filters, examine, scores
from graphs.metrics import fcd, similarity, summary
from graphs.metrics.molecules import distribution_metrics, evaluate_molecules
from graphs.metrics.summary import summarise
from refine_core.errors import InputError

# The lists of the tests of MOSES 0.3.1, which state the values below.
GENERATED = [
    "CNC",
    "Oc1ccccc1-c1cccc2cnccc12",
    "INVALID",
    "CCCP",
    "Cc1noc(C)c1CN(C)C(=O)Nc1cc(F)cc(F)c1",
    "Cc1nc(NCc2ccccc2)no1-c1ccccc1",
]
TEST = ["Oc1ccccc1-c1cccc2cnccc12", "COc1cccc(NC(=O)Cc2coc3ccc(OC)cc23)c1"]
VALID = [s for s in GENERATED if examine(s)]


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


def test_properties_of_the_first_molecules_of_the_moses_test_set() -> None:
    published = {
        "CC1C2CCC(C2)C1CN(CCO)C(=O)c1ccc(Cl)cc1": (3.4567, 4.128087185, 0.901948328, 321.848),
        "COc1ccc(-c2cc(=O)c3c(O)c(OC)c(OC)cc3o2)cc1O": (2.897, 2.371637189, 0.750637704, 344.319),
        "CCOC(=O)c1ncn2c1CN(C)C(=O)c1cc(F)ccc1-2": (1.7737, 2.528453244, 0.793247745, 303.293),
    }
    for smiles, values in published.items():
        found = scores(smiles).properties
        assert [found[name] for name in PROPERTIES] == pytest.approx(values, rel=1e-8)


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


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of numpy and scipy, in fcd_torch
def test_fcd_equals_the_package_it_takes_the_network_from() -> None:
    from fcd_torch import FCD

    other = ["CCO", "CCN", "CC(=O)O", "C1CC1", "c1ccccc1"]
    first, second = (fcd.moments(fcd.activations(smiles)) for smiles in (VALID, other))
    found = fcd.frechet(*first, *second)
    assert found == pytest.approx(FCD()(VALID, other), rel=1e-5)
    assert found == pytest.approx(fcd.frechet(*second, *first))
    assert fcd.frechet(*second, *second) == pytest.approx(0, abs=1e-5)


def test_similarities_equal_loops_over_sets_of_bits() -> None:
    rng = np.random.default_rng(0)
    bits = rng.random((37, 64)) < 0.2
    bits[3] = bits[20] = False  # two empty ones are alike
    a, b = np.packbits(bits[:17], 1), np.packbits(bits[17:], 1)
    sets = [set(np.flatnonzero(row)) for row in bits]

    def tanimoto(x: set[Any], y: set[Any]) -> float:
        return len(x & y) / len(x | y) if x | y else 1.0

    table = np.array([[tanimoto(x, y) for y in sets] for x in sets])
    assert np.allclose(similarity.nearest(a, b), table[:17, 17:].max(1))
    first, second = similarity.diversity(a)
    assert first == pytest.approx(1 - table[:17, :17].mean())
    assert second == pytest.approx(1 - (table[:17, :17] ** 2).mean() ** 0.5)


def test_similarity_does_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    bits = np.packbits(np.random.default_rng(1).random((50, 64)) < 0.3, 1)
    whole = similarity.nearest(bits[:20], bits[20:]), similarity.diversity(bits)
    monkeypatch.setattr(similarity, "ROWS", 7)
    parts = similarity.nearest(bits[:20], bits[20:]), similarity.diversity(bits)
    assert np.allclose(whole[0], parts[0]) and whole[1] == pytest.approx(parts[1])


def test_cosine_of_counts() -> None:
    assert similarity.cosine(Counter(a=3, b=4), Counter(b=2)) == pytest.approx(0.8)
    assert isnan(similarity.cosine(Counter(), Counter(b=2)))


def test_wasserstein_distance_is_the_mean_gap_of_sorted_values() -> None:
    a, b = summarise(VALID), summarise([*TEST, "CCO", "CN1CC1"])
    report = distribution_metrics(a, b)
    for i, name in enumerate(PROPERTIES):
        x, y = np.sort(a.properties[:, i]), np.sort(b.properties[:, i])
        assert report[name] == pytest.approx(np.abs(x - y).mean())
        assert report[name] == pytest.approx(wasserstein_distance(x, y))


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


def test_summary_is_kept_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = summarise(TEST, tmp_path)

    def never(*_: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(summary, "_compute", never)
    again = summarise(TEST, tmp_path)
    for name, value in vars(first).items():
        other = getattr(again, name)
        assert np.array_equal(value, other) if isinstance(value, np.ndarray) else value == other
    with pytest.raises(AssertionError, match="computed again"):
        summarise(TEST[:1], tmp_path)


def test_wrong_lists_are_explained() -> None:
    with pytest.raises(InputError, match="no generated molecules"):
        evaluate_molecules([], TEST, TEST)
    with pytest.raises(InputError, match="training molecule 'hello'"):
        evaluate_molecules(["C"], ["CCO", "hello"], TEST)
