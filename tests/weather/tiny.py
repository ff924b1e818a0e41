"""Forecast models that train in a second, or not at all."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from refine_core.training.config import Optimisation
from tests.weather.synthetic import atmosphere
from tests.weather.synthetic import config as data_config
from weather.config import WeatherConfig
from weather.forecaster.build import build_untrained
from weather.forecaster.config import HeadConfig, NetworkConfig, TokenizerConfig
from weather.io.source import Source
from weather.model import WeatherModel, load
from weather.training.run import train

OPT = Optimisation(epochs=2, batch=16, learning_rate=3e-3, ema=0.9)
NETWORK = NetworkConfig(dim=16, depth=1, heads=2, width=8, grid=(4, 8), training=OPT)


def store(folder: Path) -> Path:
    """The synthetic atmosphere as a Zarr store in `folder`, in chunks of 25 times."""
    path = folder / "truth.zarr"
    if not path.exists():
        atmosphere().chunk(time=25).to_zarr(path, zarr_format=3, consolidated=False)
    return path


def config(folder: Path, kind: Any = "refine", **data: Any) -> WeatherConfig:
    """A model of a kind for the synthetic atmosphere in `folder`."""
    return _config(store(folder), kind, **data)


def _config(source: object, kind: Any, **data: Any) -> WeatherConfig:
    tokenizer = TokenizerConfig(
        sizes=((1, 2), (2, 4), (4, 8)), dim=8, groups=2, codes=4, training=OPT
    )
    return WeatherConfig(
        name=f"tiny_{kind}",
        data=data_config(source, **({"forcing": ()} | data)),
        mean=NETWORK,
        head=HeadConfig(kind=kind, tokenizer=tokenizer, network=NETWORK, levels=3),
    )


def trained(folder: Path, kind: str) -> WeatherModel:
    """A model of a kind, trained in `folder` by the first test that asks for it.

    All share the mean of the deterministic model.
    """
    made = config(folder, kind)
    if not (folder / made.name / "model.safetensors").exists():
        if kind != "deterministic":
            trained(folder, "deterministic")
            made = replace(made, mean_from=str(folder / "tiny_deterministic"))
        train(made, folder, quiet=True)
    return load(folder / made.name)


def untrained(kind: str = "refine", **data: Any) -> WeatherModel:
    """A model with initial weights, and the mean and spread of the synthetic atmosphere."""
    torch.manual_seed(0)
    made, source = _config("", kind, **data), Source("", atmosphere())
    statics = len(made.data.static)
    forecaster = build_untrained(made.data, made.mean, made.head, source.grid, statics).eval()
    numbers: list[torch.Tensor] = []
    for channels in (made.data.channels, made.data.forcing_channels):
        maps = source.read(channels, np.arange(80)) if channels else np.zeros((1, 0, 1, 1))
        moments = (maps.mean((0, 2, 3)), maps.std((0, 2, 3)))
        numbers += [torch.from_numpy(each).float() for each in moments]
    mean, std, forcing_mean, forcing_std = numbers
    return WeatherModel(forecaster, made, source.grid, mean, std, forcing_mean, forcing_std)
