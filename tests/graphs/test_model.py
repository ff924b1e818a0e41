"""What a user does with a trained model: save, load, sample, ask for properties."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rdkit import Chem

import graphs
from graphs.chem import to_graphs
from graphs.chem.fragments import cut
from graphs.chem.properties import property_values
from graphs.data.batch import GraphBatch
from graphs.evaluation.equivariance import check_equivariance
from graphs.generators.contraction.head import ContractionHead
from graphs.model import GraphModel
from refine_core.app.progress import Progress
from refine_core.errors import InputError
from refine_core.sampling.intermediates import Intermediates
from tests.cards import made_by_card
from tests.graphs.conftest import Trained
from tests.graphs.tiny import equal


@pytest.fixture
def model(trained: Trained) -> GraphModel:
    return trained.conditioned


def test_saved_model_is_the_same(model: GraphModel, tmp_path: Path) -> None:
    model.save(tmp_path / "model.safetensors", half=False)
    again = graphs.load(tmp_path)
    assert again.config == model.config
    assert again.statistics == model.statistics and again.properties == model.properties
    assert equal(again.sample(20, seed=1), model.sample(20, seed=1))


def test_samples_depend_on_seed_and_place_only(model: GraphModel) -> None:
    weights = {name: value.clone() for name, value in model.refiner.state_dict().items()}
    try:
        for name, parameter in model.refiner.named_parameters():
            if name.endswith("sample.weight"):  # zero before training, and small after so little
                parameter.data.normal_(generator=torch.Generator().manual_seed(0))
        options: dict[str, Any] = {"where": {"length": 8.0, "logp": 0.5}, "guidance": 2.0}
        whole = model.sample(20, seed=3, **options)
        assert equal(whole, model.sample(20, seed=3, batch=7, **options))
        assert model.smiles(whole) != model.smiles(model.sample(20, seed=3))
        assert not equal(whole, model.sample(20, seed=4, **options))
    finally:
        model.refiner.load_state_dict(weights)


def test_samples_are_the_same_for_any_number_of_workers() -> None:
    model = graphs.load("qm9_properties")
    asked: dict[str, Any] = {"seed": 3, "where": {"logp": 0.5}, "guidance": 1.0, "batch": 4}
    whole = model.sample(9, workers=1, **asked)
    assert equal(model.sample(9, workers=2, **asked), whole)
    grown: dict[str, Any] = {"scaffold": "c1cc[nH]c1", "particles": 2, "batch": 4}
    assert equal(model.sample(3, workers=2, **grown), model.sample(3, workers=1, **grown))
    with pytest.raises(InputError, match="C1CC"):
        model.sample(4, workers=2, particles=1, batch=2, scaffold="C1CC")


def test_no_node_exceeds_valence_limits_where_the_kind_is_bounded(
    model: GraphModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits, head = model.statistics.valence_limits, model.refiner.head
    assert limits is not None and isinstance(head, ContractionHead)
    of_label = dict(zip(model.vocabulary.nodes, limits.capacity, strict=True))
    assert of_label["C"] == 8 and of_label["O"] == 4  # twice the valence
    whole = model.sample(200)
    monkeypatch.setattr("graphs.generators.common.valence.REDRAWS", 0)
    first = model.sample(200)
    monkeypatch.setattr(head.split, "valence_limits", None)
    free = model.sample(200)
    monkeypatch.undo()
    # Splits that exceed them are drawn again, and graphs are where one is left.
    assert not limits.exceeded(whole).any()
    left, never = limits.exceeded(first), limits.exceeded(free)
    assert 0 < float(left.float().mean()) < 0.5 * float(never.float().mean())
    drawn, before = model.smiles(whole), model.smiles(first)
    assert [a == b for a, b in zip(drawn, before, strict=True)] == (~left).tolist()
    at = int(left.nonzero()[0])
    some = model.sample(9, first=at, batch=4, workers=2)
    assert model.smiles(some) == drawn[at : at + 9]


def test_no_molecule_is_larger_than_those_of_the_data() -> None:
    for name, largest in (("qm9", 9), ("moses", 27)):
        assert graphs.load(name).statistics.largest == largest
    model = graphs.load("qm9")
    for options in ({"temperature": 1.3}, {"scaffold": "CC1CC1CC", "particles": 2}):
        smiles = model.smiles(model.sample(60, **options))
        assert np.nanmax(property_values(smiles, ["atoms"])["atoms"]) == 9
    too_large = to_graphs(["CCCCCCCCO", "CCCCCCCCOO"], model.vocabulary)
    assert model.code_log_prob(too_large).isfinite().tolist() == [True, False]
    # Of models that were saved before the size was known.
    old = replace(model, statistics=replace(model.statistics, largest=None))
    assert old.statistics.size_limit is None


def test_rings_that_the_vocabulary_lacks_are_drawn_and_have_a_likelihood() -> None:
    model = graphs.load("qm9")
    made = [text for text in model.smiles(model.sample(150, seed=1)) if text]
    fragments = {text: cut(Chem.MolFromSmiles(text)).names for text in made}
    known = set(model.vocabulary.nodes)
    new = [text for text, names in fragments.items() if not known.issuperset(names)]
    assert len(new) > 3
    rings = [name for text in new for name in fragments[text] if name not in known]
    molecules = [Chem.MolFromSmiles(name) for name in rings]  # live as long as their rings
    assert all(molecule.GetRingInfo().NumRings() for molecule in molecules)
    assert bool(model.code_log_prob(to_graphs(new, model.vocabulary)).isfinite().all())


def test_sampling_reports_its_progress(model: GraphModel, monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[int] = []
    monkeypatch.setattr(Progress, "update", lambda self, done: reported.append(done))
    model.sample(10, batch=4)
    assert reported == [4, 8, 10]


def test_properties_are_asked_for_by_name(model: GraphModel) -> None:
    assert len(model.sample(10, where={"length": 8.0}, guidance=1.0)) == 10
    drawn = model.sample(5)
    short, long = (model.code_log_prob(drawn, where={"length": value}) for value in (3.0, 9.0))
    assert not torch.equal(short, long)


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ({"lenght": 8.0}, "only on length, logp. Did you mean 'length'"),
        ({"length": 80.0}, "Found length=80, but training graphs have a length from 3 to"),
        ({"logp": float("nan")}, "Found logp=nan"),
        ({"logp": float("inf")}, "Found logp=inf"),
    ],
)
def test_unknown_properties_and_values_are_refused(
    model: GraphModel, where: dict[str, float], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        model.sample(1, where=where)


def test_a_model_without_properties_says_so(trained: Trained) -> None:
    with pytest.raises(InputError, match="takes no properties: use one that does"):
        trained.plain.sample(1, where={"length": 8.0})


def test_a_bound_on_the_likelihood_averages_over_trees(model: GraphModel) -> None:
    drawn = model.sample(5, seed=2)
    one = torch.stack([model.code_log_prob(drawn, seed=s) for s in range(20)])
    assert torch.allclose(model.code_log_prob(drawn, draws=20), one.mean(0), atol=4.0)
    assert one.std(0).max() > 0


def test_the_order_of_nodes_plays_no_part(
    model: GraphModel, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert check_equivariance(model, draws=2500, out=tmp_path)
    assert capsys.readouterr().out.count("pass") == 3
    page = (tmp_path / "report.html").read_text()
    assert "<strong>All 3 checks passed</strong>" in page and "3 of 3" in page


def test_a_missing_model_is_named() -> None:
    with pytest.raises(InputError, match="There is no model 'qm8'"):
        graphs.load("qm8")


def test_graphs_that_are_no_molecules_have_no_smiles(model: GraphModel) -> None:
    unnamed = replace(model.vocabulary, nodes=tuple(f"n{k}" for k in range(4)))
    plain = replace(model, statistics=replace(model.statistics, vocabulary=unnamed))
    with pytest.raises(InputError, match="not molecules"):
        plain.smiles(model.sample(1))


def test_a_shared_model_is_loaded_as_its_card_says(
    model: GraphModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.save_pretrained(tmp_path, half=False)
    found = made_by_card(tmp_path, "graphs", monkeypatch)
    assert found["made"] == model.smiles(model.sample(4, seed=0))
    assert found["model"].statistics == model.statistics


def test_further_graphs_begin_where_earlier_ones_ended(model: GraphModel) -> None:
    whole = model.sample(9, seed=3)
    later = model.sample(5, seed=3, first=4, where=None)
    assert model.smiles(later) == model.smiles(whole)[4:]
    options: dict[str, Any] = {"where": {"logp": 0.5}, "batch": 2, "scaffold": "CO"}
    whole = model.sample(3, seed=3, particles=2, **options)
    assert (
        model.smiles(model.sample(1, seed=3, first=2, particles=2, **options))
        == (model.smiles(whole)[2:])
    )


def test_what_is_called_after_each_scale_sees_graphs_grow(model: GraphModel) -> None:
    steps = Intermediates[GraphBatch]()
    made = model.sample(7, seed=3, batch=4, after_scale=steps)
    firsts = [place for place, step in enumerate(steps) if step.scale == 0]
    ends = [steps[place - 1] for place in (firsts[1], len(steps))]
    assert torch.cat([step.index for step in ends]).tolist() == [*range(7)]
    assert equal(GraphBatch.joined([step.data for step in ends]), made)
    for before, after in zip(steps.steps[:-1], steps.steps[1:], strict=True):
        if after.scale:
            assert bool((before.data.sizes <= after.data.sizes).all())
    assert bool((steps[0].data.sizes <= 1).all())
    with pytest.raises(InputError, match="leave it out, or give particles=1"):
        model.sample(2, scaffold="CO", after_scale=steps)


def test_the_likelihood_asks_for_draws_and_nodes(model: GraphModel) -> None:
    batch = model.sample(2)
    with pytest.raises(InputError, match="Found draws 0"):
        model.code_log_prob(batch, draws=0)
    empty = replace(batch, valid=batch.valid & False)
    with pytest.raises(InputError, match="graph without nodes"):
        model.code_log_prob(empty)
