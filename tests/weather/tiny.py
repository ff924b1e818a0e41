"""Forecast models that train in a second."""

from pathlib import Path
from typing import Any

from refine_core.training.config import Optimisation
from tests.weather.synthetic import atmosphere
from tests.weather.synthetic import config as data_config
from weather.config import WeatherConfig
from weather.forecaster.config import HeadConfig, NetworkConfig, TokenizerConfig

OPT = Optimisation(epochs=2, batch=16, learning_rate=3e-3, ema=0.9)
NETWORK = NetworkConfig(dim=16, depth=1, heads=2, width=8, grid=(4, 8), training=OPT)


def store(folder: Path) -> Path:
    """The synthetic atmosphere as a Zarr store in `folder`."""
    path = folder / "truth.zarr"
    if not path.exists():
        atmosphere().to_zarr(path, zarr_format=3, consolidated=False)
    return path


def config(folder: Path, kind: Any = "refine", **data: Any) -> WeatherConfig:
    """A model of a kind for the synthetic atmosphere in `folder`."""
    tokenizer = TokenizerConfig(
        sizes=((1, 2), (2, 4), (4, 8)), dim=8, groups=2, codes=4, training=OPT
    )
    return WeatherConfig(
        name=f"tiny_{kind}",
        data=data_config(store(folder), **({"forcing": ()} | data)),
        mean=NETWORK,
        head=HeadConfig(kind=kind, tokenizer=tokenizer, network=NETWORK, levels=3),
    )
