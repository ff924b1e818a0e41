"""Inputs of a step can be rotated around the globe, each sample by its own angle."""

import torch

from weather.forecaster.inputs import HeadContext, StepInput, rotate


def test_each_sample_is_rotated_by_its_own_angle() -> None:
    maps = torch.arange(24.0).reshape(2, 1, 2, 6)
    rotated = rotate(maps, torch.tensor([1, 4]))
    assert torch.equal(rotated[0], maps[0].roll(1, -1))
    assert torch.equal(rotated[1], maps[1].roll(4, -1))


def test_past_and_forcing_are_rotated_together() -> None:
    past, forcing = torch.randn(2, 3, 1, 2, 6), torch.randn(2, 1, 2, 6)
    given = StepInput(past, forcing, torch.zeros(2, 4)).rotated(torch.tensor([2, 2]))
    assert torch.equal(given.latest, past[:, -1].roll(2, -1))
    assert torch.equal(given.forcing, forcing.roll(2, -1))


def test_one_context_serves_all_members() -> None:
    one = HeadContext(torch.randn(1, 2, 4, 8), torch.randn(1, 5, 3), torch.randn(1, 4))
    many = one.expanded(3)
    assert many.maps.shape == (3, 2, 4, 8) and torch.equal(many.hidden[2], one.hidden[0])
