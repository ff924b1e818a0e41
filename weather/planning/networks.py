"""The networks of a config as they are trained and sampled, with values or without."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from refine_core.device import find_device, multiplies_bfloat16
from refine_core.noise import Noise
from refine_core.training.config import Optimisation
from refine_core.training.data import Batch
from refine_core.training.state import TrainState
from refine_core.training.step import trained_parameters
from weather.config import WeatherConfig
from weather.data.windows import AT_ONCE
from weather.fields.grid import Grid, equiangular
from weather.forecaster.build import build_untrained
from weather.forecaster.config import NetworkConfig
from weather.forecaster.controls import BankHead, DiffusionHead, GaussianHead
from weather.forecaster.forecaster import Forecaster
from weather.forecaster.inputs import CLOCK, StepInput
from weather.forecaster.network import StateNetwork
from weather.forecaster.refinement import RefineHead
from weather.forecaster.tokenizer import start_from_principal_components
from weather.planning.meter import Meter, without_values
from weather.planning.outline import Outline
from weather.training.errors import ERROR_BYTES, MEASURED
from weather.training.stages import VALIDATED, TokenizerTraining

Trained = Literal["mean", "tokeniser", "head"]
SECTIONS: dict[Trained, str] = {
    "mean": "mean",
    "tokeniser": "head.tokenizer",
    "head": "head.network",
}
"""Sections of the config with the settings of each training."""
AVERAGED = 64
"""Windows that errors of the mean are measured on at once, at most."""


@dataclass(frozen=True)
class Cost:
    """What a computation needs.

    Args:
        memory: Bytes of living tensors, at most.
        operations: Floating-point operations, of a step in training.
        parameters: Numbers that are trained.
        checkpoint: Bytes of the checkpoint of a training.
        validation: Operations of a validation, for training.
    """

    memory: int
    operations: float
    parameters: int = 0
    checkpoint: int = 0
    validation: float = 0.0


def networks(config: WeatherConfig, grid: Grid) -> Forecaster:
    """The untrained networks."""
    return build_untrained(config.data, config.mean, config.head, grid, len(config.data.static))


def settings(config: WeatherConfig, stage: Trained) -> Optimisation:
    """The settings of a stage's training."""
    found = {
        "mean": config.mean.training,
        "tokeniser": config.head.tokenizer.training,
        "head": config.head.network.training,
    }
    return found[stage]


def trained_module(config: WeatherConfig, grid: Grid, stage: Trained) -> nn.Module:
    """What a stage trains."""
    forecaster = networks(config, grid)
    if stage == "mean":
        return forecaster.mean.requires_grad_(True)
    if stage == "tokeniser":
        assert isinstance(forecaster.head, RefineHead)
        tokenizer = forecaster.head.tokenizer
        tokenizer.decoder.requires_grad_(True)
        return TokenizerTraining(forecaster, tokenizer)
    return forecaster


def windows(config: WeatherConfig, grid: Grid, count: int) -> tuple[Batch, Noise]:
    """Some windows of random numbers, and their noise."""
    data = config.data
    given = step_input(config, grid, count)
    future = torch.randn(count, 1, len(data.channels), *grid.shape)
    batch = given.past, future, given.forcing[:, None], given.clock[:, None]
    return batch, Noise(0, torch.arange(count))


def warm_up() -> None:
    """Train a tiny network for a step, since libraries take memory when they are first used."""
    config = NetworkConfig(dim=8, depth=1, heads=1, width=4, grid=(2, 4))
    network = StateNetwork(equiangular(4, 8), 1, 1, CLOCK, config)
    made, _ = network(torch.zeros(1, 1, 4, 8), torch.zeros(1, CLOCK))
    made.sum().backward()


def step_input(config: WeatherConfig, grid: Grid, count: int) -> StepInput:
    """Input of a step for some members: random numbers."""
    data = config.data
    past = torch.randn(count, data.history, len(data.state_channels), *grid.shape)
    forcing = torch.randn(count, len(data.forcing), *grid.shape)
    return StepInput(past, forcing, torch.randn(count, CLOCK))


def train_step(
    state: TrainState[nn.Module], opt: Optimisation, batch: Batch, noise: Noise
) -> None:
    """One step of a training up to the gradients."""
    precision = opt.precision
    mixed = precision == "bf16-mixed" or (
        precision == "auto" and multiplies_bfloat16(find_device())
    )
    state.module.train()
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        loss: Tensor = state.module(batch, noise)["loss"]
    loss.backward()
    nn.utils.clip_grad_norm_(state.module.parameters(), opt.clip or 1.0)


def update(state: TrainState[nn.Module]) -> None:
    """The end of a step: new weights and codebooks."""
    state.optimizer.step()
    state.optimizer.zero_grad()
    getattr(state.module, "after_step", lambda: None)()


def training_cost(
    config: WeatherConfig, data: Outline, stage: Trained, accumulate: int | None = None
) -> Cost:
    """What the training of a stage needs.

    Args:
        config: The configuration.
        data: Its grid, and counts of windows.
        stage: What is trained.
        accumulate: Parts of a batch that are computed one after the other, if not as configured.
    """
    opt = settings(config, stage)
    opt = replace(opt, accumulate=accumulate or opt.accumulate)
    with without_values() as meter:
        state = TrainState.new(trained_module(config, data.grid, stage), opt)
        batch = windows(config, data.grid, opt.batch // opt.accumulate)
        before = meter.peak = meter.now
        train_step(state, opt, *batch)
        operations, rise = meter.operations * opt.accumulate, meter.peak - before
        update(state)
        later = data.window_bytes * (2 * opt.batch - opt.batch // opt.accumulate)
        memory = max(meter.peak, meter.now + rise) + later  # from the second step on
        checkpoint = _bytes(state)
        parameters = trained_parameters(state.module)
        del batch
        count = min(VALIDATED, data.windows["validation"])
        size = min(count, max(1, AT_ONCE // data.window_bytes))
        meter.peak, meter.operations = meter.now, 0
        with torch.no_grad():
            state.averaged.eval()(*windows(config, data.grid, size))
    memory = max(memory, meter.peak + 2 * opt.batch * data.window_bytes)
    return Cost(memory, operations, parameters, checkpoint, meter.operations / size * count)


def errors_cost(config: WeatherConfig, data: Outline) -> Cost:
    """What it needs to measure the errors of the mean, and to start a head from them."""
    size = min(AVERAGED, data.windows["train"], max(1, AT_ONCE // data.window_bytes))
    held = min(MEASURED, data.windows["train"], max(1, ERROR_BYTES // data.window_bytes))
    with without_values() as meter, torch.no_grad():
        forecaster = networks(config, data.grid).eval()
        residual, _ = forecaster.residual(*windows(config, data.grid, size), in_sample=True)
        each = meter.operations / size
        head = forecaster.head
        count = sum(min(MEASURED, data.windows[part]) for part in ("train", "validation"))
        if isinstance(head, RefineHead | BankHead | GaussianHead):
            count += held
            parts = [torch.zeros_like(residual[:1]) for _ in range(held)]
            residuals = torch.cat(parts)
            del parts, residual
            if isinstance(head, RefineHead):
                start_from_principal_components(head.tokenizer, residuals)
            else:
                head.estimate(residuals)
    return Cost(meter.peak, each * count)


def sampling_cost(config: WeatherConfig, grid: Grid, members: int) -> tuple[Cost, int]:
    """What a step of a forecast of some members needs, and the bytes of the weights."""
    with without_values() as meter:
        forecaster = networks(config, grid).eval()
        weights = meter.now
        if isinstance(forecaster.head, DiffusionHead):
            operations = _denoise(forecaster, config, grid, members, meter)
        else:
            sample_step(forecaster, config, grid, members)
            operations = meter.operations
    return Cost(meter.peak, operations), weights


@torch.no_grad()
def _denoise(
    forecaster: Forecaster, config: WeatherConfig, grid: Grid, members: int, meter: Meter
) -> int:
    """Operations of a step by diffusion, of which one call is made: its sampler needs values."""
    head = forecaster.head
    assert isinstance(head, DiffusionHead)
    context = forecaster.mean.context(step_input(config, grid, members))
    before = meter.operations
    head.denoise(torch.randn(members, *head.shape), torch.randn(members), context)
    return before + head.calls * (meter.operations - before)


def sample_step(forecaster: Forecaster, config: WeatherConfig, grid: Grid, members: int) -> None:
    """One step of a forecast from a step before it."""
    channels, (high, wide) = len(config.data.channels), grid.shape
    waves = torch.zeros(members, channels, high, wide // 2 + 1, dtype=torch.complex64)
    noise = Noise(0, torch.arange(members))
    forecaster.step(step_input(config, grid, members), noise, waves)


def smaller_grid(config: WeatherConfig, grid: Grid, share: float) -> Grid:
    """A grid with about a share of the cells, from one cell a token of the networks on."""
    high, across = config.mean.grid
    patch = max(1, round(grid.shape[1] / across))
    fewer = max(1, int(patch * min(1.0, share) ** 0.5))
    return grid if fewer == patch else equiangular(high * fewer, across * fewer)


def _bytes(state: TrainState[nn.Module]) -> int:
    """Bytes of the tensors of a checkpoint."""
    parts = [state.module.state_dict(), *state.optimizer.state_dict()["state"].values()]
    if state.average is not None:
        parts.append(state.average.state_dict())
    return sum(each.nbytes for part in parts for each in part.values())
