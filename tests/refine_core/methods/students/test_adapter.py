"""Adapters: nothing changes before training, the frozen weights stay, merging keeps the result."""

import copy

import pytest
import torch

from refine_core.errors import InputError
from refine_core.methods.students.adapter import adapt, merge
from refine_core.noise import Noise
from tests.refine_core.tiny import DIM, refiner

X = torch.randn(6, DIM, 5, 5, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(6) % 3


@pytest.mark.parametrize("rank", [0, 1, 4])
def test_an_untrained_adapter_changes_nothing(rank: int) -> None:
    model = refiner()
    before = model.code_log_prob(X, LABELS)
    added = adapt(model.transformer, rank)
    assert torch.equal(model.code_log_prob(X, LABELS), before)
    layers = sum(isinstance(each, torch.nn.Linear) for each in model.transformer.modules())
    assert len(added) == (2 * layers if rank else 0)
    assert all(parameter.requires_grad for parameter in added)
    assert sum(p.requires_grad for p in model.transformer.parameters()) == len(added)


def test_training_moves_the_adapter_alone_and_merging_keeps_what_it_learnt() -> None:
    model = refiner()
    names = model.state_dict().keys()
    frozen = copy.deepcopy(model.transformer.state_dict())
    start = model.code_log_prob(X, LABELS).sum(1).mean()
    optimizer = torch.optim.Adam(adapt(model.transformer, 2, alpha=4.0), 1e-2)
    for _ in range(10):
        optimizer.zero_grad()
        model((X, LABELS), Noise.range(0, 6))["loss"].backward()
        optimizer.step()
    learnt = model.code_log_prob(X, LABELS)
    assert learnt.sum(1).mean() > start + 0.1
    for name, tensor in model.transformer.state_dict().items():
        plain = name.replace("parametrizations.weight.original", "weight")
        assert plain not in frozen or torch.equal(tensor, frozen[plain])
    merge(model.transformer)
    assert model.state_dict().keys() == names
    assert torch.allclose(model.code_log_prob(X, LABELS), learnt, atol=1e-5)


def test_wrong_adapters() -> None:
    model = refiner()
    with pytest.raises(InputError, match="rank -1"):
        adapt(model, -1)
    adapt(model.transformer, 1)
    with pytest.raises(InputError, match="adapters already"):
        adapt(model.transformer, 1)
