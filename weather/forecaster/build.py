"""Builds the parts of a forecast model from their configs."""

from collections.abc import Sequence

import torch
from torch import Tensor

from refine_core.errors import InputError
from weather.data.config import DataConfig
from weather.data.prepared import Prepared
from weather.fields.channel import Channel
from weather.fields.grid import Grid
from weather.fields.variables import nonnegative
from weather.forecaster.config import HeadConfig, NetworkConfig
from weather.forecaster.controls import BankHead, CRPSHead, DiffusionHead, GaussianHead, NoHead
from weather.forecaster.forecaster import Forecaster
from weather.forecaster.head import ResidualHead
from weather.forecaster.mean import MeanModel
from weather.forecaster.refinement import RefineHead
from weather.forecaster.tokenizer import build_tokenizer


def build_mean(config: NetworkConfig, data: Prepared) -> MeanModel:
    """An untrained network for the mean of prepared data.

    Raises:
        InputError: The network's grid is finer than the data's.
    """
    statistics = data.statistics
    change = torch.from_numpy(statistics.residual_std / statistics.std).float()
    state = len(data.config.state_channels)
    change[state:] = 1
    static = torch.from_numpy(data.normalised_static()).float()
    forcing = len(data.config.forcing)
    absent = None if data.absent is None else torch.from_numpy(data.absent)
    history = data.config.history
    return MeanModel(data.grid, static, change, state, history, forcing, config, absent)


def build_head(
    config: HeadConfig, grid: Grid, channels: Sequence[Channel], mean: MeanModel
) -> ResidualHead:
    """An untrained head of a kind, for residuals of maps `channels`.

    Raises:
        InputError: Sizes do not fit together.
    """
    count = len(channels)
    inputs = mean.inputs + count
    if config.kind == "refine":
        tokenizer = build_tokenizer(config.tokenizer, grid, channels)
        return RefineHead(tokenizer, inputs, mean.network.position.shape[1], config)
    if config.kind == "diffusion":
        return DiffusionHead(grid, inputs, count, config)
    if config.kind == "crps":
        return CRPSHead(grid, inputs, count, config)
    simple = {"bank": BankHead, "gaussian": GaussianHead}.get(config.kind)
    return NoHead(count, grid) if simple is None else simple(grid, count)


def build_untrained(
    data: DataConfig, network: NetworkConfig, head: HeadConfig, grid: Grid, statics: int
) -> Forecaster:
    """A forecaster with initial weights, whose scales are one; trained ones are loaded into it.

    Args:
        data: The data that it was trained on.
        network: The configuration of the mean.
        head: The configuration of the head.
        grid: The grid of the maps.
        statics: Count of static fields.

    Raises:
        InputError: The data have no variables of a state.
    """
    if not data.state_channels:
        raise InputError(
            "Found no variable in `data`, expected some of `atmospheric` with `levels`, or of "
            "`surface`: the model's config is damaged."
        )
    count = len(data.channels)
    static, change = torch.zeros(statics, *grid.shape), torch.ones(count)
    state, forcing = len(data.state_channels), len(data.forcing)
    absent = torch.zeros(count + forcing, *grid.shape).bool() if data.masked else None
    mean = MeanModel(grid, static, change, state, data.history, forcing, network, absent)
    return Forecaster(
        mean,
        build_head(head, grid, data.channels, mean),
        scale=torch.ones(count, grid.shape[0], 1),
        inflation=torch.ones(count),
        lower=torch.full((count,), -torch.inf),
        grid=grid,
        winds=[channel.is_wind for channel in data.channels],
    )


def lower_limits(channels: Sequence[Channel], mean: Tensor, std: Tensor) -> Tensor:
    """(C,) normalised zero of channels that cannot be negative, else minus infinity.

    Args:
        channels: C of them.
        mean: (C,) what is taken off values to normalise them.
        std: (C,) what they are divided by.
    """
    positive = torch.tensor([nonnegative(channel.variable) for channel in channels])
    return torch.where(positive, -mean / std, -torch.inf)
