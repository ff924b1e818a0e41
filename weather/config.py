"""Configuration of the weather domain; the files are in `configs/weather/`."""

from dataclasses import field

from refine_core.config.ranges import RunName
from refine_core.config.schema import config
from weather.data.config import DataConfig
from weather.forecaster.config import HeadConfig, NetworkConfig


@config
class WeatherConfig:
    """A forecast model."""

    name: RunName = "gcm"
    """Of the run: everything goes to `runs/<name>/`."""
    seed: int = 0
    """Of weights, order and noise."""
    data: DataConfig = field(default_factory=DataConfig)
    mean: NetworkConfig = field(default_factory=NetworkConfig)
    """The network of the deterministic mean."""
    mean_from: str = ""
    """A trained model whose mean is taken over, by name or path; empty trains one."""
    head: HeadConfig = field(default_factory=HeadConfig)
