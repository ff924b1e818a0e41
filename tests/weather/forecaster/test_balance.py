"""Balance: reversible, and draws that know nothing of each other keep it."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from tests.weather.forecaster.test_tokenizer import CONFIG, GRID
from weather.fields.channel import Channel
from weather.forecaster.balance import Balance
from weather.forecaster.tokenizer import build_tokenizer, start_from_principal_components

CHANNELS = [
    Channel("v_component_of_wind", 500),
    Channel("geopotential", 500),
    Channel("temperature", 850),
]


def residuals(count: int, seed: int = 0) -> Tensor:
    """Wind along the slope of geopotential, whose sign turns at the equator, and a temperature."""
    noise = torch.Generator().manual_seed(seed)
    z = torch.randn(count, 8, 16, generator=noise)
    z = (z + z.roll(1, 2) + z.roll(-1, 2)) / 3
    sign = torch.sin(torch.deg2rad(torch.from_numpy(GRID.latitude).float()))[:, None]
    v = sign * (z.roll(-1, 2) - z.roll(1, 2)) + 0.1 * torch.randn(z.shape, generator=noise)
    t = 0.5 * z + 0.5 * torch.randn(z.shape, generator=noise)
    return torch.stack([v, z, t], 1)


def slope_correlation(maps: Tensor) -> float:
    """Correlation of the wind with the slope, of all northern rows."""
    slope = maps[:, 1].roll(-1, 2) - maps[:, 1].roll(1, 2)
    rows = torch.from_numpy(GRID.latitude > 0)
    both = torch.stack([slope[:, rows].flatten(), maps[:, 0, rows].flatten()])
    return float(torch.corrcoef(both)[0, 1])


def test_it_is_reversible_and_takes_out_what_is_known() -> None:
    maps, others = residuals(400), residuals(100, seed=1)
    balance = Balance(CHANNELS, 8)
    assert torch.equal(balance.enter(others), others)  # before it is fitted
    balance.fit(maps)
    changed = balance.enter(others)
    assert torch.allclose(balance.leave(changed), others, atol=1e-5)
    assert changed[:, 0].std() < 0.15 < others[:, 0].std()
    assert abs(float(changed[:, 2].std()) - 0.5) < 0.05
    assert torch.equal(changed[:, 1], others[:, 1] * balance.weight[1])
    assert balance.weight[1] > 1 and balance.weight[0] == 1


def test_independent_draws_are_balanced() -> None:
    maps = residuals(400)
    balance = Balance(CHANNELS, 8)
    balance.fit(maps)

    def mixed(values: Tensor) -> Tensor:
        order = np.random.default_rng(0).permutation(len(values))
        return torch.stack([values[order, 0], values[:, 1], values[:, 2]], 1)

    assert abs(slope_correlation(mixed(maps))) < 0.05
    found = slope_correlation(balance.leave(mixed(balance.enter(maps))))
    assert found > 0.98 * slope_correlation(maps) > 0.7


def test_no_mass_field_no_change() -> None:
    balance = Balance([Channel("2m_temperature")], 8)
    maps = torch.randn(3, 1, 8, 16)
    balance.fit(maps)
    assert torch.equal(balance.leave(balance.enter(maps)), maps)


def test_a_tokeniser_inverts_it() -> None:
    config = replace(CONFIG, sizes=((2, 4), (8, 16)), dim=3, groups=3)
    tokenizer = build_tokenizer(config, GRID, CHANNELS)
    maps = residuals(100)
    start_from_principal_components(tokenizer, maps)
    assert torch.allclose(tokenizer.finish(tokenizer.features(maps)), maps, atol=1e-4)
