"""Golden numbers: the shipped models give the same samples for the same seeds as ever."""

import numpy as np
import pytest
import torch

import graphs
import images
import weather
from graphs.evaluation.equivariance import check_equivariance
from refine_core.noise import Noise
from weather.forecast.initial_states import InitialStates
from weather.samples import STATES

DIGITS = [0.174688, 0.060582, 0.154094, 0.154090, 0.081622, 0.109241]
DIGIT_NATS = [-115.5038, -68.4803, -139.4317, -164.6005, -160.8885, -115.3786]
MOLECULES = ["COC1(C)C(O)C1O", "C#CC1(CO)COC1=N", "Cn1cc2c(n1)COC2", "O=CC12CC(O1)C1NC12"]
MOLECULE_NATS = [-13.0380, -12.0112, -11.2383, -11.4822]
WITH_PROPERTIES = ["C#CC#CC1CC1(C)C", "Cc1ccn(C2CC2)n1", "CC1=CCC(C)OC1=N"]
WITH_SCAFFOLD = ["CNc1c(N)c[nH]c1O", "CNc1cc(CN)c[nH]1", "CCCc1cc(O)c[nH]1"]
DRUGS = [
    "CCCC(=O)Nc1cccc(NC(=O)OCC)c1C",
    "Cc1ncnc2c1[nH]c1ccc(C(=O)N3CCCNCC3)cc12",
    "CCOc1ccc(CNS(=O)(=O)c2cccc(C(C)=O)c2)cc1",
    "Cc1ccccc1NC(=O)c1cccc(S(=O)(=O)N(C)C)c1",
]
DRUG_NATS = [-24.0795, -19.6780, -19.7960, -16.9264]
PARA = [
    "CNC(=O)c1ccc(CNC(=O)c2ccoc2C)cc1",
    "Cc1ccccc1S(=O)(=O)NCCc1ccc(C#N)cc1",
    "CC1CCC(NC(=O)c2ccc(S(N)(=O)=O)cc2)C(C)C1",
]
Z500 = [56542.0234, 56482.5391, 56610.0508]
T2M = [292.0834, 290.9354, 291.2701]


def test_images() -> None:
    model = images.load("mnist")
    labels = torch.arange(6)
    drawn = model.sample(6, seed=0, labels=labels)
    np.testing.assert_allclose(drawn.mean((1, 2, 3)), DIGITS, atol=2e-5)
    nats = model.refiner.code_log_prob(drawn, labels).sum(1).detach()
    np.testing.assert_allclose(nats, DIGIT_NATS, atol=2e-2)


def test_a_student_draws_as_its_teacher_does_with_guidance() -> None:
    teacher, student = images.load("mnist"), images.load("mnist_fast")
    labels = torch.arange(300) % 10
    plain = [sampling.guidance for sampling in student.sampling(labels)]
    assert plain == [0.0] * 10 and len(teacher.schedule) == len(student.schedule)
    sampling = teacher.sampling(labels)
    trace = teacher.refiner.sample_trace(Noise.range(0, 300), labels, sampling=sampling)
    nats = []
    with torch.no_grad():
        for model in (teacher, student):
            laws = model.refiner.distributions(trace.states[:-1], labels)
            each = [law.log_prob(code) for law, code in zip(laws, trace.codes, strict=True)]
            nats.append(float(torch.stack(each).sum(0).mean()))
    # Of guided samples it knows more than the teacher does without guidance.
    assert nats[1] > nats[0] + 1


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


def test_drugs() -> None:
    model = graphs.load("moses")
    drawn = model.sample(4, seed=0)
    assert model.smiles(drawn) == DRUGS
    nats = model.code_log_prob(drawn, seed=0).detach()
    np.testing.assert_allclose(nats, DRUG_NATS, atol=2e-3)
    assert model.smiles(model.sample(3, seed=3, scaffold="*c1ccc(*)cc1")) == PARA


@pytest.mark.parametrize("name", ["qm9", "moses"])
def test_the_order_of_nodes_plays_no_part(name: str) -> None:
    assert check_equivariance(graphs.load(name), draws=1500)


def test_weather() -> None:
    model = weather.load("gcm")
    start = np.datetime64("2019-11-15T00", "ns")
    states = InitialStates.open(str(STATES), model).states(start)
    last = list(model.rollout(states, start, members=3, steps=3))[-1]
    for name, expected in (("geopotential_500", Z500), ("2m_temperature", T2M)):
        channel = [c.name for c in model.channels].index(name)
        np.testing.assert_allclose(last.values[:, channel, 10, 20], expected, rtol=1e-4)
