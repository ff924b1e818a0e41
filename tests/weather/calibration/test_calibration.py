"""Corrections of a step: laws, and that fitting them finds what is wrong."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from refine_core.errors import InputError
from refine_core.noise import Noise
from tests.weather import tiny
from weather.calibration.candidate import Candidate, score
from weather.calibration.search import calibrate
from weather.calibration.single_step import fit_single_step, set_climatology
from weather.data.preparation import prepare
from weather.data.prepared import Prepared
from weather.data.windows import Windows
from weather.fields.climatology import climatology_at
from weather.fields.grid import Grid
from weather.forecaster.correction import (
    Correction,
    from_waves,
    log_power_ratio,
    smooth,
    zonal_waves,
)
from weather.forecaster.refinement import RefineHead
from weather.model import WeatherModel, load
from weather.training.run import train

GRID = Grid(np.array([-67.5, -22.5, 22.5, 67.5]), np.arange(0.0, 360.0, 45.0))


@pytest.fixture(scope="module", params=["refine", "gaussian"])
def model(request: pytest.FixtureRequest, folder: Path) -> WeatherModel:
    train(tiny.config(folder, "deterministic"), folder, quiet=True)
    config = tiny.config(folder, request.param)
    config = replace(config, mean_from=str(folder / "tiny_deterministic"))
    return train(config, folder, quiet=True)


@pytest.fixture(scope="module")
def data(model: WeatherModel) -> Prepared:
    return prepare(model.config.data, quiet=True)


def test_unfitted_it_changes_nothing() -> None:
    correction = Correction(GRID, [False, True])
    x, before = torch.randn(3, 2, 4, 8), zonal_waves(torch.randn(3, 2, 4, 8))
    assert torch.allclose(correction.residual(x, before)[0], x, atol=1e-6)
    assert torch.allclose(correction.damp(x, torch.randn(2, 4, 8), 3), x, atol=1e-6)


def test_memory_correlates_steps_and_keeps_the_power() -> None:
    correction = Correction(GRID, [False])
    correction.memory.fill_(0.6)
    first, before = correction.residual(torch.randn(20_000, 1, 4, 8), None)
    second, _ = correction.residual(torch.randn(20_000, 1, 4, 8), before)
    assert float(second.var()) == pytest.approx(1, abs=0.02)
    assert float((first * second).mean()) == pytest.approx(0.6, abs=0.02)


def test_the_first_step_has_a_gain_of_its_own() -> None:
    correction = Correction(GRID, [False])
    correction.first.fill_(0.5)
    x = torch.randn(3, 1, 4, 8)
    first, before = correction.residual(x, None)
    assert torch.allclose(first, x / 2, atol=1e-6)
    assert torch.allclose(correction.residual(x, before)[0], x, atol=1e-6)


def test_departures_fade_by_wave() -> None:
    correction = Correction(GRID, [False])
    correction.keep[..., 2] = 0.5
    usual = torch.randn(1, 4, 8)
    wave = torch.cos(2 * torch.arange(8) * 2 * torch.pi / 8).expand(1, 4, 8)
    damped = correction.damp((usual + wave + 3)[None], usual, 1)
    assert torch.allclose(damped[0], usual + wave / 2 + 3, atol=1e-5)


def test_departures_fade_as_they_become_unknown() -> None:
    correction = Correction(GRID, [False])
    correction.keep.fill_(0.0625)
    correction.pace.fill_(0.5)
    x, usual = torch.randn(3, 1, 4, 8), torch.randn(1, 4, 8)
    for number, factor in ((0, 0.5), (1, 0.125), (2, 0.0625), (9, 0.0625)):
        damped = correction.damp(x, usual, number)
        assert torch.allclose(damped, usual + factor * (x - usual), atol=1e-5)


def test_a_pole_is_one_place() -> None:
    """Scalars have one value there, a wind blows from one side to the other."""
    grid = Grid(np.array([-90.0, -30.0, 30.0, 90.0]), np.arange(0.0, 360.0, 45.0))
    correction = Correction(grid, [False, True])
    x, usual = torch.randn(3, 2, 4, 8), torch.zeros(2, 4, 8)
    damped = correction.damp(x, usual, 0)
    assert torch.allclose(damped[:, :, 1:3], x[:, :, 1:3], atol=1e-6)
    poles = damped[:, :, [0, 3]]
    assert torch.allclose(poles[:, 0], x[:, 0, [0, 3]].mean(-1, keepdim=True).expand(3, 2, 8))
    assert torch.allclose(poles[:, 1, :, :4], -poles[:, 1, :, 4:], atol=1e-6)
    assert poles[:, 1].std(-1).min() > 0.01


def test_smoothing_keeps_a_constant() -> None:
    assert torch.allclose(smooth(torch.ones(2, 4, 33)), torch.ones(2, 4, 33))
    assert from_waves(zonal_waves(torch.eye(5)), 5).allclose(torch.eye(5), atol=1e-6)


def test_the_excess_over_a_steep_spectrum_is_found_at_every_wave() -> None:
    """Ratios of powers over a band would be those of its lowest wave, in steps."""
    wave = torch.arange(33.0).add(1)
    found = log_power_ratio(wave.pow(-4).expand(1, 4, 33), wave.pow(-6).expand(1, 4, 33)).exp()
    assert torch.allclose(found[0, 0, :-8], wave[:-8] ** 2, rtol=0.1)


def test_the_climatology_is_that_of_the_data(model: WeatherModel, data: Prepared) -> None:
    set_climatology(model, data)
    usual = model.denormalise(model.forecaster.correction.climatology(data.times[5:7]))
    found = torch.from_numpy(climatology_at(data.climatology, data.times[5:7]))
    assert torch.allclose(usual, found, rtol=1e-4, atol=1e-4 * float(found.abs().max()))


def test_residuals_get_the_power_of_errors(model: WeatherModel, data: Prepared) -> None:
    climate = set_climatology(model, data)
    fit_single_step(model, data, climate, seed=0)
    windows = Windows(data, "validation")
    index = torch.arange(len(windows))
    given, future, _ = model.forecaster.mean.unpack(windows[index], Noise(0, index))
    mean, drawn = model.forecaster.sample(given, Noise(0, index))
    residual, _ = model.forecaster.correction.residual(drawn, None)

    def power(x: Tensor) -> Tensor:
        return zonal_waves(x).abs().square().mean((0, 2, 3))

    assert torch.allclose(power(residual), power(future - mean), rtol=0.25)


def test_calibration_brings_the_spread_to_the_skill(
    model: WeatherModel, data: Prepared, tmp_path: Path
) -> None:
    before = {k: v.clone() for k, v in model.forecaster.state_dict().items()}
    best, rows = calibrate(model, data, rounds=2, starts=3, steps=4, quiet=True)
    assert len(rows) == 4
    worst = [max(row["worst"], 0.1) for row in rows]
    assert min(worst[1:]) < worst[0]
    after = best.forecaster.state_dict()
    assert all(
        torch.equal(after[k], v) for k, v in before.items() if not k.startswith("correction")
    )
    assert float(best.forecaster.correction.keep.max()) <= 1
    best.save(tmp_path / "best.safetensors", half=False)
    again = load(tmp_path / "best.safetensors").forecaster.correction
    assert torch.equal(again.gain, best.forecaster.correction.gain)


def test_temperatures_are_chosen_size_by_size(model: WeatherModel, data: Prepared) -> None:
    best, rows = calibrate(
        model, data, temperature=(1.0, 0.5), rounds=0, starts=2, steps=1, quiet=True
    )
    head = model.forecaster.head
    sizes = head.tokenizer.schedule.wholes if isinstance(head, RefineHead) else [0]
    others = len(set(sizes)) if isinstance(head, RefineHead) else 0
    assert len(rows) == 2 + others  # the best, centred once more
    lowest = min(rows[:-1], key=lambda row: row["crps"])
    chosen = [lowest[f"temperature_{k + 1}"] for k in range(len(sizes))]
    assert list(best.config.head.temperature) == chosen
    for size in set(sizes):
        assert len({t for t, other in zip(chosen, sizes, strict=True) if other == size}) == 1


def test_every_candidate_is_sampled_at_its_own_temperature(
    model: WeatherModel, data: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampled = []

    def scored(model: WeatherModel, *rest: Any) -> Candidate:
        candidate = score(model, *rest)
        if isinstance(model.forecaster.head, RefineHead):
            used = tuple(scale.temperature for scale in model.forecaster.head.sampling)
            sampled.append((used, candidate.temperature))
        # The first is best, not the last.
        return replace(candidate, row={**candidate.row, "worst": float(len(sampled))})

    monkeypatch.setattr("weather.calibration.search.score", scored)
    calibrate(model, data, temperature=(0.5, 1.0), rounds=1, starts=2, steps=1, quiet=True)
    assert all(used == meant for used, meant in sampled)
    assert len({used for used, _ in sampled}) > 1 or not sampled


def test_a_short_validation_part_is_named(model: WeatherModel, data: Prepared) -> None:
    with pytest.raises(InputError, match="no 1000 steps of 12 h on end: roll out fewer"):
        calibrate(model, data, steps=1000, quiet=True)
