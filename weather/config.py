"""Configuration of a weather model; files of it are in `configs/weather/`."""

from dataclasses import field

from refine_core.config.ranges import RunName
from refine_core.config.schema import config
from weather.data.config import DataConfig
from weather.forecaster.config import HeadConfig, NetworkConfig


@config
class WeatherConfig:
    """A forecast model.

    Raises:
        InputError: A value is out of its range.

    >>> import weather
    >>> from weather.data.config import DataConfig
    >>> from weather.forecaster.config import HeadConfig
    >>> data = DataConfig(source="era5.zarr", atmospheric=("geopotential",), levels=(500, 850))
    >>> config = weather.WeatherConfig(name="mine", data=data, head=HeadConfig(kind="crps"))
    >>> [channel.name for channel in config.data.channels]
    ['geopotential_500', 'geopotential_850']
    """

    name: RunName = "gcm"
    """Name of the run; its files go to `runs/<name>/`."""
    seed: int = 0
    """Seed of the initial weights, the order of samples and all noise."""
    data: DataConfig = field(default_factory=DataConfig)
    """Variables, levels and years to learn from."""
    mean: NetworkConfig = field(default_factory=NetworkConfig)
    """The network of the deterministic mean."""
    mean_from: str = ""
    """Name or path of a trained model, to use its mean; empty trains one."""
    head: HeadConfig = field(default_factory=HeadConfig)
    """What samples the residual about the mean."""
