"""Calibration finds what is wrong with an ensemble, and refuses what it cannot calibrate."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from refine_core.errors import InputError
from tests.weather import tiny
from weather.calibration.candidate import Candidate, score
from weather.calibration.reconstruction_error import reconstruction_error
from weather.calibration.search import _centre, calibrate
from weather.data.preparation import prepare
from weather.data.prepared import Prepared
from weather.forecaster.refinement import RefineHead
from weather.model import WeatherModel, load
from weather.training.run import train


def test_calibration_brings_the_spread_to_the_skill(
    model: WeatherModel, data: Prepared, tmp_path: Path
) -> None:
    before = {k: v.clone() for k, v in model.forecaster.state_dict().items()}
    best, rows = calibrate(model, data, rounds=2, starts=3, steps=4, quiet=True)
    assert len(rows) == 3
    assert min(row["worst"] for row in rows[1:]) < rows[0]["worst"]
    after = best.forecaster.state_dict()
    assert all(
        torch.equal(after[k], v) for k, v in before.items() if not k.startswith("correction")
    )
    best.save(tmp_path / "best.safetensors", half=False)
    again = load(tmp_path / "best.safetensors").forecaster.correction
    assert torch.equal(again.gain, best.forecaster.correction.gain)


def test_the_gain_of_each_wave_follows_its_spread(model: WeatherModel) -> None:
    correction = model.forecaster.correction
    correction.reset()
    channels, _, count = correction.gain.shape
    ratios = np.array([[2.0], [1.0], [0.25]]) * np.ones(channels)
    waves = np.ones((3, channels, count)) * np.where(np.arange(count) > 4, 2.0, 0.5)
    _centre(correction, Candidate({}, (1.0,), {}, ratios, waves))
    assert torch.allclose(correction.gain[:, :, :3], torch.tensor(2.0))
    assert torch.allclose(correction.gain[:, :, -1], torch.tensor(0.5), rtol=0.01)
    assert torch.allclose(correction.first, torch.tensor(0.25))


def test_temperatures_are_chosen_size_by_size(model: WeatherModel, data: Prepared) -> None:
    best, rows = calibrate(
        model, data, temperature=(1.0, 0.5), rounds=0, starts=2, members=5, steps=1, quiet=True
    )
    head = model.forecaster.head
    sizes = head.tokenizer.schedule.wholes if isinstance(head, RefineHead) else [0]
    others = len(set(sizes)) if isinstance(head, RefineHead) else 0
    assert len(rows) == 1 + others
    lowest = min(rows, key=lambda row: row["crps"])
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
    calibrate(
        model, data, temperature=(0.5, 1.0), rounds=1, starts=2, members=5, steps=1, quiet=True
    )
    assert all(used == meant for used, meant in sampled)
    assert len({used for used, _ in sampled}) > 1 or not sampled


def test_a_deterministic_model_is_refused(folder: Path) -> None:
    model = tiny.trained(folder, "deterministic")
    before = {k: v.clone() for k, v in model.forecaster.state_dict().items()}
    with pytest.raises(InputError, match="deterministic: its members are all equal"):
        calibrate(model, prepare(model.data, quiet=True), quiet=True)
    after = model.forecaster.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rounds": -1}, "Found -1 rounds"),
        ({"starts": 0}, "Found 0 starts of 10 members and 10 steps"),
        ({"members": 1}, "Found 12 starts of 1 members"),
        ({"steps": 0}, "and 0 steps"),
        ({"steps": 1000}, "no 1000 steps of 12 h on end: roll out fewer"),
        ({"temperature": ()}, "expected at least one"),
        ({"temperature": (1.0, -0.5)}, "none below 0"),
    ],
    ids=str,
)
def test_numbers_out_of_range_are_refused(
    folder: Path, options: dict[str, Any], said: str
) -> None:
    model = tiny.trained(folder, "gaussian")
    data = prepare(model.data, quiet=True)
    with pytest.raises(InputError, match=said):
        calibrate(model, data, **options, quiet=True)
    assert bool((model.forecaster.correction.gain == 1).all())


@pytest.mark.gpu
def test_a_model_is_trained_and_calibrated_on_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches of the validation part follow the model to its device at every stage."""
    monkeypatch.setenv("REFINE_CACHE", str(tmp_path / "cache"))
    for kind in ("refine", "gaussian", "crps", "diffusion"):
        model = train(tiny.config(tmp_path, kind), tmp_path, quiet=True)
        data = prepare(model.data, quiet=True)
        assert model.forecaster.device.type == "cuda"
        _, rows = calibrate(model, data, rounds=1, starts=2, members=4, steps=2, quiet=True)
        assert len(rows) == 2
    refine = load(tmp_path / "tiny_refine", "cuda")
    error = reconstruction_error(refine, data)
    assert bool((error.coded < error.mean).any())


def test_data_of_other_statistics_are_normalised_as_the_model_s(
    model: WeatherModel, data: Prepared
) -> None:
    known = data.statistics
    other = replace(data, statistics=replace(known, mean=known.mean + 9, std=2 * known.std))
    few: dict[str, Any] = {"rounds": 0, "starts": 2, "members": 2, "steps": 1, "quiet": True}
    best, _ = calibrate(model, data, **few)
    found = {k: v.clone() for k, v in best.forecaster.correction.state_dict().items()}
    again, _ = calibrate(model, other, **few)
    for name, value in again.forecaster.correction.state_dict().items():
        torch.testing.assert_close(value, found[name], rtol=1e-3, atol=1e-4)


def test_a_model_with_forcing_is_calibrated(folder: Path) -> None:
    made = tiny.config(folder, "gaussian", forcing=("toa_incident_solar_radiation",))
    model = train(replace(made, name="forced"), folder, quiet=True)
    data = prepare(model.data, quiet=True)
    _, rows = calibrate(model, data, rounds=0, starts=2, members=2, steps=2, quiet=True)
    assert rows[0]["crps"] > 0
