"""Residual energies: what tells data from samples, and samples that make up for it."""

import math
from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch

from graphs.chem.substructure import substructure_counts
from graphs.config import GraphsConfig
from graphs.data.batch import GraphBatch
from graphs.data.convert_networkx import from_networkx, to_networkx
from graphs.energy import QUANTILES, RADIUS, SIZE, ResidualEnergy, fit
from graphs.energy_training import with_energy
from graphs.evaluation.network_calls import CallCounter
from graphs.generators.common.particles import REFUSED, accepted
from graphs.generators.contraction.config import ContractionConfig
from graphs.model import GraphModel, load
from graphs.training import train
from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.sampling.intermediates import Intermediates
from refine_core.training.config import Optimisation
from tests.graphs.evaluation.untrained import untrained
from tests.graphs.tiny import equal

CHAINS = ["C" * n for n in range(2, 12)]


def _given(model: GraphModel, atom: str, odds: float) -> GraphModel:
    """The model with log-odds of the substructures that only molecules with an atom have."""
    texts = [x for x in model.smiles(model.sample(2000, seed=5)) if x]
    have = np.array([atom in x.upper() for x in texts])
    counts = substructure_counts(texts, 0, SIZE).toarray() > 0
    table = torch.zeros(SIZE)
    table[torch.from_numpy(counts[have].any(0) & ~counts[~have].any(0))] = odds
    refiner, energy = load("qm9").refiner, ResidualEnergy(table)
    quantiles = np.quantile(energy(texts), (np.arange(QUANTILES) + 0.5) / QUANTILES)
    energy = ResidualEnergy(table, torch.from_numpy(quantiles).float())
    refiner.add_module("energy", energy)
    return replace(model, refiner=refiner)


def _share(model: GraphModel, atom: str, particles: float = 1) -> float:
    drawn = model.sample(400, seed=1, particles=particles)
    texts = [text or "" for text in model.smiles(drawn)]
    return sum(atom in text.upper() for text in texts) / len(texts)


@pytest.fixture(scope="module")
def plain() -> GraphModel:
    return load("qm9")


def test_an_energy_tells_molecules_apart_as_well_as_can_be() -> None:
    data, drawn = [f"{x}O" for x in CHAINS] * 30, [f"{x}N" for x in CHAINS] * 30
    found = fit(data, drawn)
    assert 0.65 < found.nats < math.log(2) + 1e-9
    high, low = found.energy(["CCCO", "CCCN"])
    assert high > low + 2
    same = fit(data, data)
    assert abs(same.nats) < 1e-3
    assert max(map(abs, same.energy(data))) < 1e-3


def test_few_graphs_are_all_held_out_once() -> None:
    """Odds do not depend on how many draws there are."""
    data = [nx.cycle_graph(6), nx.path_graph(6)] * 60
    drawn = [nx.cycle_graph(6), *[nx.path_graph(6)] * 3] * 80
    found = fit(data, drawn, 3)
    ring, path = found.energy(data[:2])
    assert abs((ring - path) - math.log(3)) < 0.2
    assert 0 < found.nats < math.log(3)


def test_log_odds_are_those_of_the_laws() -> None:
    """Of two molecules that come three times and once as often, the odds are three.

    With a bound at the higher one samples follow the law of the data: of four draws three are CN,
    of which a ninth is kept, so that a sample takes three.
    """
    found = fit(["CO", "CO", "CO", "CN"] * 200, ["CN", "CN", "CN", "CO"] * 200, 3)
    high, low = found.energy(["CO", "CN"])
    assert abs((high - low) - 2 * math.log(3)) < 0.2
    assert abs(found.energy.bound(3) - high) < 0.2
    assert abs(found.nats - (0.75 * math.log(3) - 0.25 * math.log(3))) < 0.05


def test_samples_follow_the_law_of_the_network_times_the_weights(plain: GraphModel) -> None:
    """Where half of what has nitrogen is kept, and all else."""
    nitrogen = _share(plain, "N")
    halved = _given(plain, "N", -math.log(2))
    draws = 1 / (1 - nitrogen / 2)
    with CallCounter(plain) as alone, CallCounter(halved) as several:
        share = _share(halved, "N", draws)
        plain.sample(400, seed=1)
    assert abs(share - draws * nitrogen / 2) < 0.1
    assert abs(several.per_graph(400) / alone.per_graph(400) / draws - 1) < 0.15
    assert equal(halved.sample(20, particles=1), plain.sample(20))
    with pytest.raises(InputError, match="Found 3 particles and nothing to choose one by"):
        plain.sample(2, particles=3)
    with pytest.raises(InputError, match="Found 1.5 particles, expected a whole number beside"):
        halved.sample(2, scaffold="CC", particles=1.5)


def test_what_nothing_is_kept_of_is_resampled(plain: GraphModel) -> None:
    """After eight times as many draws as expected, one is taken by weight."""
    nitrogen = _share(plain, "N")
    refusing = _given(plain, "N", -40.0)
    assert refusing.energy is not None
    refusing.energy.quantiles.fill_(80.0)
    assert _share(refusing, "N", 1.01) < nitrogen**9 + 0.05


def test_where_all_are_refused_what_is_kept_depends_on_no_batch() -> None:
    """Refused graphs weigh least of a batch, each as much as the others."""

    def draw(noise: Noise, context: torch.Tensor | None) -> tuple[GraphBatch, torch.Tensor]:
        sizes = 1 + (noise.uniform(0) * 5).long()
        graphs = [nx.empty_graph(int(n)) for n in sizes]
        return from_networkx(graphs)[torch.arange(len(graphs))][
            0
        ], -REFUSED - 10.0 * sizes.amax() * torch.ones(len(sizes))

    whole = accepted(draw, Noise.range(0, 12), None, 0.0, 1.5)
    parts = [
        accepted(draw, Noise(0, torch.arange(12)[i : i + 4]), None, 0.0, 1.5) for i in (0, 4, 8)
    ]
    assert equal(whole, GraphBatch.joined(parts)) and len(whole.sizes.unique()) > 2


def test_energies_are_saved_and_samples_depend_on_no_batch(
    plain: GraphModel, tmp_path: Path
) -> None:
    model = _given(plain, "O", 1.0)
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert again.energy is not None and plain.energy is None
    whole = model.sample(12, seed=3)
    assert equal(whole, again.sample(12, seed=3, batch=5))
    assert equal(whole, model.sample(12, seed=3, particles=2))
    assert not equal(whole, model.sample(12, seed=3, particles=3))
    assert model.smiles(again.sample(5, seed=3, first=7)) == model.smiles(whole)[7:]
    with pytest.raises(InputError, match="give particles=1"):
        model.sample(2, after_scale=Intermediates[GraphBatch]())
    model.sample(2, after_scale=Intermediates[GraphBatch](), particles=1)


def test_a_model_is_given_the_energy_of_its_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    texts = [f"{x}{y}{z}" for x in CHAINS for y in "CNO" for z in CHAINS[:5]]
    model = untrained(tmp_path / "chains.smi", texts)
    found = with_energy(model, 150, workers=1)
    assert found.config.energy == 150 and model.energy is None
    assert found.energy is not None
    drawn = [x for x in model.smiles(model.sample(150, seed=9)) if x]
    assert sum(found.energy(texts)) / len(texts) > sum(found.energy(drawn)) / len(drawn) + 1
    with pytest.raises(InputError, match="Found 50 graphs.*takes 100"):
        with_energy(model, 50, workers=1)


def test_training_ends_with_an_energy_where_the_config_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    texts = [f"{x}{y}{z}" for x in CHAINS for y in "CNO" for z in CHAINS[:5]]
    network = ContractionConfig(dim=16, depth=1, heads=2, training=Optimisation(1, batch=32))
    config = GraphsConfig(name="chains", model=network, energy=110)
    model = train(config, tmp_path, smiles=texts, quiet=True)
    assert model.energy is not None
    assert equal(model.sample(5), load(tmp_path / "chains").sample(5))
    few = train(replace(config, name="few"), tmp_path, smiles=texts[:60], quiet=True)
    assert few.energy is None


def test_other_graphs_have_one_of_their_local_structures(tmp_path: Path) -> None:
    """Of rings an untrained model makes few; draws like them are kept."""
    network = ContractionConfig(dim=16, depth=1, heads=2, training=Optimisation(1, batch=32))
    config = GraphsConfig(name="rings", model=network, energy=300)
    rings = [nx.cycle_graph(n) for n in range(3, 9)] * 30
    model = train(config, tmp_path, store=from_networkx(rings), quiet=True)
    assert model.energy is not None
    ring, star = model.energy([nx.cycle_graph(5), nx.star_graph(4)])
    assert ring > star + 1
    plain, chosen = (model.sample(200, seed=2, particles=k) for k in (1, 4))
    own = [torch.tensor(model.energy(to_networkx(x))).mean() for x in (plain, chosen)]
    assert own[1] > own[0] + 1
    assert equal(model.sample(5, particles=4), load(tmp_path / "rings").sample(5, particles=4))


def test_substructures_are_counted_whatever_the_order_of_atoms() -> None:
    one, other = (substructure_counts([x], RADIUS, SIZE).toarray() for x in ("OCC(C)N", "NC(C)CO"))
    assert (one == other).all() and one.sum() > 5
