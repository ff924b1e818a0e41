"""Training: the mean, the tokeniser of its errors, and the head, one after the other."""

from dataclasses import replace
from pathlib import Path

import torch

from refine_core.config.schema import to_dict
from refine_core.errors import InputError
from refine_core.training.stages import Stages
from weather.config import WeatherConfig
from weather.data.preparation import prepare
from weather.data.prepared import Prepared
from weather.data.windows import Windows
from weather.forecaster.build import build_head, build_mean, lower_limits
from weather.forecaster.config import NetworkConfig
from weather.forecaster.controls import GaussianHead, NoHead
from weather.forecaster.forecaster import Forecaster
from weather.forecaster.refinement import RefineHead
from weather.model import WeatherModel, load
from weather.training.stages import (
    ESTIMATED,
    _losses,
    _mean,
    _residuals,
    _tokenizer,
    error_scale,
    judged,
)


def train(
    config: WeatherConfig, runs: Path = Path("runs"), *, quiet: bool = False
) -> WeatherModel:
    """Train a model; continue where an earlier call was stopped.

    Everything goes to `runs/<config.name>/`; the result is `model.safetensors` there.

    Raises:
        InputError: The data cannot be used, see `weather.data.checks`, or sizes do not fit
        together.
    """
    data = prepare(config.data, quiet=quiet)
    stages = Stages(runs / config.name, config.seed, data.digest, quiet)
    source = _source(config)
    _check_sizes(config, source.config.mean if source else config.mean, data)
    windows, held = Windows(data, "train"), judged(Windows(data, "validation"))
    mean = source.forecaster.mean if source else _mean(config, data, stages)
    with stages.seeded(2):
        head = build_head(config.head, data.grid, len(data.channels), mean)
    scale, fresh = (error_scale(mean, part) for part in (windows, Windows(data, "validation")))
    inflation = (fresh / scale).square().mul(mean.get_buffer("area")).mean((1, 2)).sqrt()
    winds = [channel.is_wind for channel in data.channels]
    forecaster = Forecaster(mean, head, scale, inflation, lower_limits(data), data.grid, winds)
    if isinstance(head, RefineHead):
        _tokenizer(config, forecaster, head, windows, held, stages)
    if isinstance(head, GaussianHead):
        head.estimate(torch.cat([r for r, _ in _residuals(forecaster, windows, ESTIMATED)]))
    elif not isinstance(head, NoHead):
        forecaster = stages.train(
            forecaster,
            windows,
            config.head.network.training,
            stream=3,
            config=config,
            name="head",
            validate=lambda module: _losses(module, held),
            title=f"weather: {config.head.kind}",
        )
    made_of = replace(config, mean=source.config.mean) if source else config
    model = WeatherModel.of(forecaster.eval(), made_of, data)
    model.save(stages.folder / "model.safetensors")
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
    build_head(config.head, data.grid, len(data.channels), build_mean(mean, data))


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
