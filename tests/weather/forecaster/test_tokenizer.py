"""Codes of residuals: what the tokeniser starts as, and what stays of it."""

import numpy as np
import torch

from refine_core.noise import Noise
from weather.fields.channel import Channel
from weather.fields.grid import Grid
from weather.forecaster.config import TokenizerConfig
from weather.forecaster.tokenizer import allocate, build_tokenizer, start_from_principal_components

GRID = Grid(np.linspace(-78.75, 78.75, 8), np.arange(16) * 22.5)
CHANNELS = [Channel("geopotential", 500), Channel("v_component_of_wind", 500)]
CONFIG = TokenizerConfig(sizes=((2, 4), (4, 8)), dim=8, groups=4, codes=8)


def test_groups_hold_equal_volumes() -> None:
    variance = torch.logspace(0, -6, 12)
    place = allocate(variance, groups=4, dim=12)
    assert sorted(place.tolist()) == list(range(12))
    volume = torch.zeros(12).scatter(0, place, variance.log()).reshape(4, 3).sum(1)
    in_order = variance.log().reshape(4, 3).sum(1)
    assert volume.max() - volume.min() < 0.4 * (in_order.max() - in_order.min())


def test_components_that_are_nothing_have_a_place_too() -> None:
    place = allocate(torch.tensor([1.0, 0.5, 0.0, 0.0]), groups=2, dim=6)
    assert len(set(place.tolist())) == 4


def test_features_are_uncorrelated_and_the_decoder_inverts_them() -> None:
    torch.manual_seed(0)
    residuals = torch.einsum("ij,njhw->nihw", torch.randn(2, 2), torch.randn(64, 2, 8, 16))
    tokenizer = build_tokenizer(CONFIG, GRID, CHANNELS)
    start_from_principal_components(tokenizer, residuals)
    features = tokenizer.features(residuals)
    rows = features.permute(0, 2, 3, 1).flatten(0, 2)
    covariance = rows.T @ rows / len(rows)
    assert (covariance - covariance.diag().diag()).abs().max() < 1e-3 * covariance.max()
    assert torch.allclose(tokenizer.finish(features), residuals, rtol=1e-3, atol=1e-3)


def test_training_leaves_the_encoder_as_it_is() -> None:
    torch.manual_seed(0)
    residuals = torch.randn(16, 2, 8, 16)
    tokenizer = build_tokenizer(CONFIG, GRID, CHANNELS)
    start_from_principal_components(tokenizer, residuals)
    before = tokenizer.features(residuals)
    optimizer = torch.optim.SGD(tokenizer.parameters(), 0.1)
    for step in range(3):
        tokenizer((residuals,), Noise(step, torch.arange(16)))["loss"].backward()
        optimizer.step()
        tokenizer.after_step()
    assert torch.equal(tokenizer.features(residuals), before)
