"""What a forecast model must do, of every kind."""

from dataclasses import replace
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.quantizers.vq import VQ
from tests.weather import tiny
from weather.data.preparation import prepare
from weather.data.prepared import Prepared
from weather.fields.grid import Grid
from weather.forecaster.config import HeadConfig
from weather.forecaster.controls import CRPSHead, DiffusionHead, GaussianHead
from weather.forecaster.inputs import HeadContext, rotate
from weather.forecaster.refinement import RefineHead
from weather.model import WeatherModel, load
from weather.training.run import train

Start = tuple[NDArray[np.float32], np.datetime64]
KINDS = get_args(get_type_hints(HeadConfig)["kind"])


@pytest.fixture(scope="module", params=KINDS)
def model(request: pytest.FixtureRequest, folder: Path) -> WeatherModel:
    config = tiny.config(folder, request.param)
    if request.param not in ("refine", "deterministic"):
        train(tiny.config(folder, "deterministic"), folder, quiet=True)
        config = replace(config, mean_from=str(folder / "tiny_deterministic"))
    train(config, folder, quiet=True)
    return load(folder / config.name)


@pytest.fixture
def start(model: WeatherModel) -> Start:
    data = prepare(model.config.data, quiet=True)
    return first(data)


def first(data: Prepared) -> Start:
    index = int(data.starts("test")[0])
    return data.states[[index - data.stride, index]], data.times[index]


def test_a_member_is_a_name(model: WeatherModel, start: Start) -> None:
    """Members depend on seed, time and name, not on batch size, company or order."""
    together = list(model.rollout(*start, members=7, steps=3, seed=5))
    alone = list(model.rollout(*start, members=[4], steps=3, seed=5))
    turned = list(model.rollout(*start, members=[6, 2], steps=3, seed=5))
    for a, b, c in zip(together, alone, turned, strict=True):
        assert torch.equal(a.values[[4, 6, 2]], torch.cat([b.values, c.values]))
        assert c.members == (6, 2)
    assert [state.lead_hours for state in together] == [12, 24, 36]
    assert together[-1].time == start[1] + np.timedelta64(36, "h")
    spread = together[-1].values.std(0).mean()
    if model.config.head.kind == "deterministic":
        assert spread == 0
    else:
        assert spread > 0
        other = next(model.rollout(*start, members=[4], steps=1, seed=6))
        assert not torch.equal(other.values, alone[0].values)


def test_calls_are_counted(model: WeatherModel) -> None:
    expected = {"refine": 4, "deterministic": 1, "gaussian": 1, "diffusion": 6, "crps": 2}
    assert model.calls == expected[model.config.head.kind]


def test_codebooks_are_learnt(model: WeatherModel) -> None:
    """Every one of every scale: an encoder and a decoder cannot make up for codes at random."""
    if isinstance(model.forecaster.head, RefineHead):
        tokenizer = model.forecaster.head.refiner.tokenizer
        books = [part for part in tokenizer.modules() if isinstance(part, VQ)]
        assert books
        assert all(int(book.updates) > 1 for book in books)


def test_a_head_that_does_not_fit_is_refused_before_the_mean_is_trained(folder: Path) -> None:
    made = tiny.config(folder)
    tokens = replace(made.head.tokenizer, sizes=((1, 2), (2, 2)))
    wrong = replace(made, name="wrong", head=replace(made.head, tokenizer=tokens))
    with pytest.raises(InputError, match=r"head.tokenizer.sizes: found 2 x 2 as the finest"):
        train(wrong, folder, quiet=True)
    assert not (folder / "wrong").exists()


def test_files_hold_everything(model: WeatherModel, start: Start, tmp_path: Path) -> None:
    model.save(tmp_path / "model.safetensors", half=False)
    again = load(tmp_path / "model.safetensors")
    a, b = (next(m.rollout(*start, members=2, steps=1)).values for m in (model, again))
    assert torch.equal(a, b)
    assert again.grid == model.grid


def test_bad_states_are_refused(model: WeatherModel, start: Start) -> None:
    past, time = start
    with pytest.raises(InputError, match=r"shape \(1, 6, 8, 16\)"):
        next(model.rollout(past[:1], time))
    broken: NDArray[np.float32] = past.copy()
    broken[1, 2, 0, 0] = np.nan
    with pytest.raises(InputError, match="not finite in temperature_500"):
        next(model.rollout(broken, time))
    with pytest.raises(InputError, match="blew up"):
        next(model.rollout(past * np.float32(1e6), time, members=2))


def test_missing_forcing_is_named(model: WeatherModel, start: Start) -> None:
    changed = replace(
        model, config=replace(model.config, data=replace(model.config.data, forcing=("sun",)))
    )
    with pytest.raises(InputError, match="forcing fields sun"):
        next(changed.rollout(*start))


def test_humidity_stays_positive(model: WeatherModel, start: Start) -> None:
    model.forecaster.get_buffer("lower")[2] = 0.1
    drawn = next(model.rollout(*start, members=3, steps=1)).values
    model.forecaster.get_buffer("lower")[2] = -torch.inf
    assert model.normalise(drawn)[:, 2].min() >= 0.1 - 1e-5


def test_turning_samples_turns_the_forecast(folder: Path) -> None:
    """A mean trained on turned samples sees land where it is."""
    x = torch.arange(24.0).reshape(2, 1, 2, 6)
    turned = rotate(x, torch.tensor([1, 4]))
    assert torch.equal(turned[0], x[0].roll(1, -1))
    assert torch.equal(turned[1], x[1].roll(4, -1))


GRID = Grid(np.array([-67.5, -22.5, 22.5, 67.5]), np.arange(0.0, 360.0, 45.0))


def test_gaussian_noise_has_the_covariance_of_errors() -> None:
    torch.manual_seed(0)
    mix = torch.randn(2 * 4 * 8, 2 * 4 * 8) / 8
    errors = (torch.randn(4000, 64) @ mix).unflatten(1, (2, 4, 8))
    head = GaussianHead(GRID, 2, rank=48)
    head.estimate(errors)
    context = HeadContext(torch.zeros(4000, 1, 4, 8), torch.zeros(0), torch.zeros(0))
    drawn = head.sample(context, Noise(0, torch.arange(4000))).flatten(1)
    a, b = torch.cov(errors.flatten(1).T), torch.cov(drawn.T)
    assert (a - b).norm() / a.norm() < 0.15


def test_diffusion_samples_what_a_perfect_denoiser_knows() -> None:
    head = DiffusionHead(GRID, 1, 1, HeadConfig(network=tiny.NETWORK, levels=20))

    def denoise(noisy: torch.Tensor, sigma: torch.Tensor, context: HeadContext) -> torch.Tensor:
        return 2 + (noisy - 2) * 0.25 / (0.25 + sigma[:, None, None, None] ** 2)

    head.denoise = denoise  # type: ignore[method-assign]
    context = HeadContext(torch.zeros(500, 1, 4, 8), torch.zeros(0), torch.zeros(0))
    drawn = head.sample(context, Noise(0, torch.arange(500)))
    assert abs(drawn.mean() - 2) < 0.02
    assert abs(drawn.std() - 0.5) < 0.03


def test_almost_fair_crps_is_least_for_the_right_spread() -> None:
    """Draws from N(0, s) against truths from N(0, 1): the loss is least near s = 1."""
    head = CRPSHead(GRID, 1, 1, HeadConfig(network=tiny.NETWORK))
    noise, losses = Noise(0, torch.arange(2000)), {}
    for spread in (0.5, 1.0, 2.0):

        def draw(context: HeadContext, noise: Noise, spread: float = spread) -> torch.Tensor:
            return spread * noise.normal(0, 1, 4, 8)

        head.sample = draw  # type: ignore[method-assign]
        truth = torch.randn(2000, 1, 4, 8, generator=torch.Generator().manual_seed(0))
        empty = HeadContext(torch.zeros(0), torch.zeros(0), torch.zeros(0))
        losses[spread] = float(head(truth, empty, noise)["loss"])
    assert losses[1.0] < min(losses[0.5], losses[2.0])
