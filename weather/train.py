"""Training: the mean, the tokeniser of its errors, and the head, one after the other."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from refine_core.config import to_dict
from refine_core.errors import InputError
from refine_core.noise import Noise, derive
from refine_core.residual import ResidualTokenizer
from refine_core.runs import Run
from refine_core.training import fit
from weather.config import NetworkConfig, WeatherConfig
from weather.controls import GaussianHead, NoHead
from weather.forecaster import Forecaster, TokenizerTraining, build_head
from weather.mean import MeanModel
from weather.prepare import Prepared, prepared
from weather.refine import RefineHead
from weather.tokenizer import start_from_principal_components
from weather.trained import WeatherModel, build_mean, load, lower_limits, normalised_static, winds
from weather.windows import Windows

JUDGED = 256  # validation windows that each epoch is judged by
ESTIMATED = 1024  # training windows that covariances are estimated from


def train(
    config: WeatherConfig, runs: Path = Path("runs"), *, quiet: bool = False
) -> WeatherModel:
    """Train a model; continue where an earlier call was stopped.

    Everything goes to `runs/<config.name>/`; the result is `model.safetensors` there.

    Raises:
        InputError: The data cannot be used, see `weather.check`, or sizes do not fit together.
    """
    data = prepared(config.data, quiet=quiet)
    folder, source = runs / config.name, _source(config)
    _check_sizes(config, source.config.mean if source else config.mean, data)
    windows, held = Windows(data, "train"), judged(Windows(data, "validation"))
    mean = source.forecaster.mean if source else _mean(config, data, folder, quiet)
    torch.manual_seed(derive(config.seed, 2))
    head = build_head(config.head, data.grid, len(data.channels), mean)
    scale, fresh = (error_scale(mean, part) for part in (windows, Windows(data, "validation")))
    inflation = (fresh / scale).square().mul(mean.get_buffer("area")).mean((1, 2)).sqrt()
    lower, wind = lower_limits(data), winds(config.data)
    forecaster = Forecaster(mean, head, scale, inflation, lower, data.grid, wind)
    if isinstance(head, RefineHead):
        _tokenizer(config, forecaster, head, windows, held, folder, quiet)
    if isinstance(head, GaussianHead):
        head.estimate(torch.cat([r for r, _ in _residuals(forecaster, windows, ESTIMATED)]))
    elif not isinstance(head, NoHead):
        fitted, _ = fit(
            forecaster,
            windows,
            config.head.network.training,
            seed=derive(config.seed, 3),
            run=Run.start(folder / "head", config, config.seed, data.digest),
            validate=lambda module: _losses(module, held),
            title=f"weather: {config.head.kind}",
            quiet=quiet,
        )
        assert isinstance(fitted, Forecaster)
        forecaster = fitted
    made_of = replace(config, mean=source.config.mean) if source else config
    model = WeatherModel.of(forecaster.eval(), made_of, data)
    model.save(folder / "model.safetensors")
    return model


def _check_sizes(config: WeatherConfig, mean: NetworkConfig, data: Prepared) -> None:
    """Refuse a head that does not fit the mean before that is trained."""
    finest = config.head.tokenizer.sizes[-1]
    if config.head.kind == "refine" and finest != mean.grid:
        raise InputError(
            f"head.tokenizer.sizes: found {finest[0]} x {finest[1]} as the finest, expected "
            f"mean.grid, {mean.grid[0]} x {mean.grid[1]}, whose tokens the head adds to its own: "
            "make them equal."
        )
    untrained = build_mean(
        replace(config, mean=mean), data.grid, normalised_static(data), data.statistics
    )
    build_head(config.head, data.grid, len(data.channels), untrained)


def _source(config: WeatherConfig) -> WeatherModel | None:
    """The model whose mean is taken over."""
    if not config.mean_from:
        return None
    other = load(config.mean_from)
    if to_dict(other.config.data) != to_dict(config.data):
        raise InputError(
            f"The model {config.mean_from}, whose mean `mean_from` takes over, was trained "
            "on other data settings: give this config the same `data`."
        )
    return other


def _mean(config: WeatherConfig, data: Prepared, folder: Path, quiet: bool) -> MeanModel:
    """The mean, trained."""
    torch.manual_seed(derive(config.seed, 0))
    mean = build_mean(config, data.grid, normalised_static(data), data.statistics)
    held = judged(Windows(data, "validation"))

    def validate(module: nn.Module) -> dict[str, float]:
        assert isinstance(module, MeanModel)
        given, future, _ = module.prepare(held, Noise(0, torch.arange(len(held[0]))))
        error = future - module.mean(given, module.situation(given))
        area = module.get_buffer("area")
        rmse = (error.square() * area).mean((0, 2, 3)).sqrt() * torch.from_numpy(
            data.statistics.std
        )
        share = ((error / module.get_buffer("change")).square() * area).mean()
        names = [channel.name for channel in data.channels]
        return {"validation": float(share), **dict(zip(names, rmse.tolist(), strict=True))}

    fitted, _ = fit(
        mean,
        Windows(data, "train"),
        config.mean.training,
        seed=derive(config.seed, 1),
        run=Run.start(folder / "mean", config, config.seed, data.digest),
        validate=validate,
        title="weather: mean",
        quiet=quiet,
    )
    assert isinstance(fitted, MeanModel)
    return fitted


def _tokenizer(
    config: WeatherConfig,
    forecaster: Forecaster,
    head: RefineHead,
    windows: Windows,
    held: tuple[Tensor, ...],
    folder: Path,
    quiet: bool,
) -> None:
    """Train the head's tokeniser, and put the averaged weights into it."""
    tokenizer = cast(ResidualTokenizer, head.refiner.tokenizer)
    tokenizer.decoder.requires_grad_(True)
    residuals = torch.cat([r for r, _ in _residuals(forecaster, windows, ESTIMATED)])
    start_from_principal_components(tokenizer, residuals)
    training = TokenizerTraining(forecaster, tokenizer)
    fitted, _ = fit(
        training,
        windows,
        config.head.tokenizer.training,
        seed=derive(config.seed, 4),
        run=Run.start(folder / "tokenizer", config, config.seed, windows.prepared.digest),
        validate=lambda module: _losses(module, held),
        title="weather: tokeniser",
        quiet=quiet,
    )
    assert isinstance(fitted, TokenizerTraining)
    tokenizer.load_state_dict(fitted.tokenizer.state_dict())
    tokenizer.requires_grad_(False)


def judged(windows: Windows, count: int = JUDGED) -> tuple[Tensor, ...]:
    """At most `count` windows, spread over the part."""
    index = np.linspace(0, len(windows) - 1, min(count, len(windows)))
    return windows[torch.from_numpy(index.round().astype(np.int64))]


def _losses(module: nn.Module, held: tuple[Tensor, ...]) -> dict[str, float]:
    """Validation losses."""
    losses = module(held, Noise(0, torch.arange(len(held[0]))))
    return {f"validation_{name}": float(value) for name, value in losses.items()}


@torch.no_grad()
def error_scale(mean: MeanModel, windows: Windows) -> Tensor:
    """(C, H, 1) zonal standard deviation of the mean's errors on a part of the data."""
    total, count = torch.zeros(()), 0
    for index in torch.arange(min(ESTIMATED, len(windows))).split(64):
        batch = windows[index * (len(windows) // min(ESTIMATED, len(windows)))]
        given, future, _ = mean.eval().prepare(batch, Noise(0, index))
        error = future - mean.mean(given, mean.situation(given))
        total = total + error.square().sum(0).mean(-1, keepdim=True)
        count += len(index)
    return (total / count).sqrt()


@torch.no_grad()
def _residuals(
    forecaster: Forecaster, windows: Windows, count: int
) -> list[tuple[Tensor, object]]:
    """Scaled residuals of training windows spread over the part, in batches."""
    count = min(count, len(windows))
    step = len(windows) // count
    return [
        forecaster.eval().residual(windows[index * step], Noise(0, index), seen=True)
        for index in torch.arange(count).split(64)
    ]
