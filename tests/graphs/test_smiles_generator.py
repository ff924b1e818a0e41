"""Molecules as plain SMILES: out as benchmarks ask for them, and in to learn from."""

import importlib
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from types import ModuleType

import pytest

import graphs
from graphs import smiles_generator
from graphs.generators.contraction.config import ContractionConfig
from graphs.model import GraphModel
from graphs.smiles_generator import SmilesGenerator
from refine_core.errors import InputError
from tests.graphs.conftest import MOLECULES, Trained, settings
from tests.graphs.tiny import PLAIN, SMALL
from tests.graphs.tiny import model as untrained


@pytest.fixture
def model(trained: Trained) -> GraphModel:
    return trained.plain


def test_every_call_brings_fresh_molecules(model: GraphModel) -> None:
    generator = SmilesGenerator(model, seed=3)
    whole = [text or "" for text in model.smiles(model.sample(30, seed=3))]
    found = generator.generate(12)
    assert found == whole[:12] and all(isinstance(text, str) for text in found)
    assert generator.generate(0) == []
    assert generator.generate(number_samples=18) == whole[12:]
    assert generator.drawn == 30


def test_it_is_a_generator_of_guacamol_where_that_is_installed(
    model: GraphModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("guacamol.distribution_matching_generator")

    class Generator(ABC):
        @abstractmethod
        def generate(self, number_samples: int) -> list[str]: ...

    vars(module)["DistributionMatchingGenerator"] = Generator
    monkeypatch.setitem(sys.modules, "guacamol", ModuleType("guacamol"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    try:
        made = importlib.reload(smiles_generator).SmilesGenerator(model)
        assert isinstance(made, Generator) and len(made.generate(2)) == 2
    finally:
        monkeypatch.undo()
        importlib.reload(smiles_generator)


def test_other_graphs_have_no_smiles() -> None:
    with pytest.raises(InputError, match="no SMILES"):
        SmilesGenerator(untrained(ContractionConfig(**SMALL), PLAIN))


def test_a_list_of_smiles_is_learnt_from_as_a_file_of_them(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFINE_CACHE", str(tmp_path / "cache"))
    config = settings(trained.folder)
    made = graphs.train(config, tmp_path, smiles=MOLECULES * 8, quiet=True)
    assert Path(made.config.data.source) == tmp_path / config.name / "molecules.smi"
    assert made.statistics.vocabulary == trained.plain.statistics.vocabulary
    nats, reasons = graphs.log_probs(made, ["CCO", "no molecule"])
    assert nats[0] < 0 and not reasons[0] and reasons[1]
    with pytest.raises(InputError, match="is empty|no molecules|holds no"):
        graphs.train(settings(trained.folder, "logp"), tmp_path, smiles=[], quiet=True)
    with pytest.raises(InputError, match="Found the text 'CCO' as `smiles`, expected a list"):
        graphs.train(settings(trained.folder, "logp"), tmp_path, smiles="CCO", quiet=True)
