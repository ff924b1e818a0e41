"""Requests for properties are measured of models that know some and of models that know none."""

import json
from pathlib import Path

import pytest

import graphs
from graphs.evaluation.properties import measure_properties
from graphs.generators.contraction.config import ContractionConfig
from refine_core.errors import InputError
from tests.graphs.tiny import PLAIN, SMALL, model


def test_models_without_properties_choose_among_draws(tmp_path: Path) -> None:
    qm9 = graphs.load("qm9", "cpu")
    rows = measure_properties(qm9, tmp_path, targets=[("rings", 2.0)], count=6)
    assert [row["sampling"] for row in rows] == ["unguided", "8 particles", "32 particles"]
    plain, _, most = (float(row["mae"]) for row in rows)
    assert most < 0.2 < plain and float(rows[2]["near"]) > float(rows[0]["near"])
    assert json.loads((tmp_path / "properties.json").read_text())["rows"] == rows
    few = measure_properties(qm9, tmp_path, particles=(2,), count=4)
    assert [row["property"] for row in few[::6]] == ["logp", "qed", "sa", "weight", "tpsa"]


def test_graphs_that_are_no_molecules_have_no_properties(tmp_path: Path) -> None:
    plain = model(ContractionConfig(**SMALL, edge_tokens="none"), PLAIN)
    with pytest.raises(InputError, match="not molecules"):
        measure_properties(plain, tmp_path)
