"""Diagnostic variables: predicted, and never an input."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from refine_core.noise import Noise
from tests.weather import tiny
from weather.calibration.single_step import fit_single_step
from weather.data.preparation import prepare
from weather.data.windows import Windows
from weather.forecast.initial_states import InitialStates
from weather.forecaster.build import build_mean
from weather.model import load
from weather.training.run import train

APART: dict[str, Any] = {
    "surface": ("mean_sea_level_pressure",),
    "diagnostic": ("2m_temperature",),
}


def test_windows_hold_them_in_the_future_only(folder: Path) -> None:
    config = tiny.config(folder, **APART).data
    assert [c.name for c in config.channels][-2:] == ["mean_sea_level_pressure", "2m_temperature"]
    past, future, *_ = Windows(prepare(config, quiet=True), "train")[torch.arange(3)]
    assert past.shape[2] == 5 and future.shape[2] == 6


def test_the_mean_predicts_their_departure(folder: Path) -> None:
    data = prepare(tiny.config(folder, **APART).data, quiet=True)
    windows = Windows(data, "train")
    mean = build_mean(tiny.NETWORK, data).eval()  # whose last layer is zero
    given, future, _ = mean.unpack(windows[torch.arange(4)], Noise.range(0, 4))
    predicted = mean.predict(given, mean.context(given))
    assert torch.equal(predicted[:, :5], given.latest) and not predicted[:, 5].any()
    assert future.shape == predicted.shape and mean.get_buffer("change")[5] == 1


@pytest.mark.parametrize("kind", ["refine", "deterministic"])
def test_forecasts_hold_them(folder: Path, kind: str) -> None:
    config = tiny.config(folder, kind, **APART)
    train(config, folder / kind, quiet=True)
    model = load(folder / kind / config.name)
    initial = InitialStates.open(str(tiny.store(folder)), model)
    start = np.datetime64("2000-02-06T00", "ns")
    past = initial.states(start)
    assert past.shape[1] == 5
    *_, last = model.rollout(past, start, members=2, steps=3)
    assert last.values.shape[1] == 6 and bool(last.values.isfinite().all())
    warm = last.values[:, 5].mean()
    assert 270 < warm < 300


def test_calibration_makes_as_many_places_dry_as_are_in_truth(folder: Path) -> None:
    config = tiny.config(folder, "refine", **APART)
    train(config, folder / "refine", quiet=True)  # goes on where it was
    model = load(folder / "refine" / config.name)
    data, last = prepare(config.data, quiet=True), np.arange(6) == 5
    mean, std = (x.numpy()[:, None, None] for x in (model.mean, model.std))
    states = np.asarray(data.states)
    dry = last[:, None, None] & (states < mean + 0.7 * std)
    data = replace(data, states=np.where(dry, mean, states).astype(np.float32))
    model.forecaster.get_buffer("lower")[5] = 0.0
    fit_single_step(model, data, seed=0)
    taken = model.forecaster.correction.drizzle
    assert taken[5].max() > 0.1 and not taken[:5].any()

    windows = Windows(data, "validation")
    index = torch.arange(len(windows))
    given, future, _ = model.forecaster.mean.unpack(windows[index], Noise(0, index))
    made, _ = model.forecaster.step(given, Noise(0, index))
    found, expected = ((maps[:, 5] < 1e-3).double().mean((0, 2)) for maps in (made, future))
    assert torch.allclose(found, expected, atol=0.05), (found, expected)


def test_lead_0_has_none_of_them(folder: Path) -> None:
    config = tiny.config(folder, "deterministic", **APART)
    if not (folder / "deterministic" / config.name).exists():
        train(config, folder / "deterministic", quiet=True)
    model = load(folder / "deterministic" / config.name)
    made = model.forecast(str(tiny.store(folder)), "2000-02-06T00", members=1, steps=2)
    warm = made["2m_temperature"].values.squeeze()
    assert np.isnan(warm[0]).all() and np.isfinite(warm[1:]).all()
    assert np.isfinite(made["mean_sea_level_pressure"].values).all()
