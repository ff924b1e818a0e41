"""Golden numbers: the shipped models give the same samples for the same seeds as ever."""

import numpy as np
import torch

import graphs
import images
import weather
from weather.forecast.initial_states import InitialStates
from weather.samples import STATES

DIGITS = [0.174688, 0.060582, 0.154094, 0.154090, 0.081622, 0.109241]
DIGIT_NATS = [-115.5038, -68.4803, -139.4317, -164.6005, -160.8885, -115.3786]
MOLECULES = ["CCN(C)C(=O)C1CO1", "COC1(C=O)C2CC1O2", "N#CC1C(O)C1(O)CO", "C#CC12CCC(C1)C2O"]
MOLECULE_NATS = [-15.7361, -16.6813, -16.9333, -19.4293]
WITH_PROPERTIES = ["C=COC(C)(C)C1CC1", "CC(=O)C1(C)CC(C)C1", "CC12CCC1CC2=O"]
WITH_SCAFFOLD = ["Nc1[nH]c2cc1OCO2", "C1=Cc2[nH]ccc21", "CC(O)c1cc(O)c[nH]1"]
Z500 = [56224.5727, 56475.5625, 56344.2227]
T2M = [291.94339, 293.21103, 292.74457]


def test_images() -> None:
    model = images.load("mnist")
    labels = torch.arange(6)
    drawn = model.sample(6, seed=0, labels=labels)
    np.testing.assert_allclose(drawn.mean((1, 2, 3)), DIGITS, atol=2e-5)
    nats = model.refiner.code_log_prob(drawn, labels).sum(1).detach()
    np.testing.assert_allclose(nats, DIGIT_NATS, atol=2e-2)


def test_graphs() -> None:
    model = graphs.load("qm9")
    drawn = model.sample(4, seed=0)
    assert model.smiles(drawn) == MOLECULES
    nats = model.code_log_prob(drawn, seed=0).detach()
    np.testing.assert_allclose(nats, MOLECULE_NATS, atol=2e-3)
    grown = model.sample(3, seed=3, scaffold="c1cc[nH]c1")
    assert model.smiles(grown) == WITH_SCAFFOLD
    asked = graphs.load("qm9_properties")
    drawn = asked.sample(3, seed=0, where={"logp": 1.5, "gap": 0.25}, guidance=1.0)
    assert asked.smiles(drawn) == WITH_PROPERTIES


def test_weather() -> None:
    model = weather.load("gcm")
    start = np.datetime64("2003-11-15T00", "ns")
    states = InitialStates.open(str(STATES), model).states(start)
    last = list(model.rollout(states, start, members=3, steps=3))[-1]
    np.testing.assert_allclose(last.values[:, 0, 10, 20], Z500, rtol=1e-4)
    np.testing.assert_allclose(last.values[:, 10, 10, 20], T2M, rtol=1e-4)
