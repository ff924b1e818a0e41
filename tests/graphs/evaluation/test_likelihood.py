"""Log-probabilities of given molecules."""

import csv
import math
from pathlib import Path

import pytest
import torch

from graphs.chem import to_graphs
from graphs.evaluation.likelihood import log_probs, score_file
from graphs.generators.contraction.config import ContractionConfig
from graphs.model import load
from refine_core.errors import InputError
from tests.graphs.conftest import Trained
from tests.graphs.tiny import PLAIN, SMALL, model

TEXTS = ["CCO", "C1C", "CBr", "c1ccccc1", "C" * 60, "CC(N)=O"]


def test_molecules_have_the_probability_of_their_graphs(trained: Trained) -> None:
    for where in (None, {"length": 8.0}):
        nats, reasons = log_probs(trained.conditioned, TEXTS, where=where, draws=2)
        graphs = to_graphs(["CCO", "c1ccccc1"], trained.conditioned.vocabulary)
        expected = trained.conditioned.code_log_prob(graphs, draws=2, where=where)
        assert torch.allclose(torch.tensor([nats[0], nats[3]]), expected, atol=1e-4)
        assert [math.isnan(value) for value in nats] == [bool(reason) for reason in reasons]
        assert reasons[1] == "it is not a SMILES" and "outside the vocabulary" in reasons[2]
        assert "it has 60 atoms, more than the" in reasons[4] and nats[5] < 0
        assert max(map(len, reasons)) < 80
    whole, salt = log_probs(trained.plain, ["CCO", "CCO.O"], draws=9)[0]
    assert abs(whole - salt) < 3, "of a salt, the largest piece"
    assert log_probs(trained.plain, ["CO"] * 300)[0][-1] < 0, "more than a batch"


def test_salts_are_cut_down_where_the_model_knows_none(caplog: pytest.LogCaptureFixture) -> None:
    shipped = load("qm9")
    assert shipped.statistics.connected and not shipped.config.data.largest_fragment
    nats, reasons = log_probs(shipped, ["CCO", "CCO.Cl"], draws=4)
    assert reasons == ["", ""] and abs(nats[0] - nats[1]) < 3
    assert "smaller fragments dropped from 1 molecules" in caplog.text


def test_a_row_for_each_molecule_in_the_order_of_the_file(
    trained: Trained, tmp_path: Path
) -> None:
    (tmp_path / "some.csv").write_text("\n".join(["name,SMILES", *(f"x,{t}" for t in TEXTS)]))
    found = score_file(trained.plain, tmp_path / "some.csv", tmp_path / "out.csv")
    assert found == (3, 6)
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["molecule"] for row in rows] == TEXTS
    assert [bool(row["log_prob"]) for row in rows] == [True, False, False, True, False, True]
    with pytest.raises(InputError, match="not conditioned|takes no properties"):
        score_file(trained.plain, tmp_path / "some.csv", tmp_path / "x.csv", where={"qed": 1.0})
    with pytest.raises(InputError, match="are not molecules"):
        score_file(model(ContractionConfig(**SMALL), PLAIN), tmp_path / "some.csv", tmp_path / "x")
