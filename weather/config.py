"""Configuration of the weather domain; the files are in `configs/weather/`."""

from dataclasses import field
from typing import Literal

from refine_core.config.schema import config
from refine_core.training.config import Optimisation
from weather.fields.channel import Channel


@config
class DataConfig:
    """What to learn from."""

    source: str = ""
    """Path or URL of a Zarr store, netCDF or GRIB file."""
    atmospheric: tuple[str, ...] = ()
    """Variables on pressure levels, by WeatherBench 2 name; predicted on each of `levels`."""
    levels: tuple[int, ...] = ()
    """Pressure levels, in hPa."""
    surface: tuple[str, ...] = ()
    """Predicted variables without levels."""
    static: tuple[str, ...] = ()
    """Fields without time: land-sea mask, orography."""
    forcing: tuple[str, ...] = ()
    """Fields without levels known in advance: given for the valid time, never predicted."""
    step_hours: int = 24
    """Length of a model step."""
    history: int = 1
    """Past states that a step sees, `step_hours` apart."""
    train: tuple[str, str] = ("1900-01-01", "2100-01-01")
    """First and last day, both included."""
    validation: tuple[str, str] = ("1900-01-01", "2100-01-01")
    """First and last day, both included."""
    test: tuple[str, str] = ("1900-01-01", "2100-01-01")
    """First and last day, both included."""
    gap_days: int = 15
    """Least distance between the parts."""


@config
class NetworkConfig:
    """The backbone that every way to forecast shares."""

    dim: int = 192
    """Width of the tokens."""
    depth: int = 4
    """Transformer blocks."""
    heads: int = 6
    """Attention heads."""
    width: int = 64
    """Channels of the convolutions around the transformer."""
    grid: tuple[int, int] = (8, 16)
    """Latitudes and longitudes of the transformer's tokens."""
    dropout: float = 0.0
    """Dropout inside the blocks."""
    turned: bool = True
    """Whether training turns samples around the globe, static fields with them."""
    training: Optimisation = field(default_factory=Optimisation)


@config
class TokenizerConfig:
    """The multi-scale tokeniser of the residual."""

    sizes: tuple[tuple[int, int], ...] = ((2, 4), (4, 8), (8, 16), (8, 16))
    """Latitudes and longitudes of each scale, coarse to fine; the finest is the feature grid."""
    parts: tuple[int, ...] = (1,)
    """Calls in which a scale is drawn, its cells interleaved: one count for all, or one each."""
    quantizer: Literal["product", "bitwise"] = "product"
    """product: one codebook per group of channels; bitwise: signs."""
    codes: int = 16
    """Codebook entries of each group (product)."""
    dim: int = 64
    """Channels of the features (bitwise: bits)."""
    groups: int = 16
    """Groups of channels (product)."""
    training: Optimisation = field(default_factory=Optimisation)


@config
class HeadConfig:
    """How the residual about the mean is drawn."""

    kind: Literal["refine", "deterministic", "gaussian", "diffusion", "crps"] = "refine"
    """refine: codes, scale by scale; the others are controls: the mean alone, noise on the mean,
    EDM diffusion, a network trained on the almost-fair CRPS."""
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    history: Literal["full", "markov"] = "full"
    """full: a scale sees all coarser ones; markov: only the state it refines (refine)."""
    corruption: float = 0.1
    """Largest share of code digits replaced in self-correction training (refine)."""
    temperature: tuple[float, ...] = (1.0,)
    """Divides the logits: one for all scales, or one per scale (refine)."""
    levels: int = 20
    """Noise levels of the second-order sampler (diffusion)."""
    members: int = 2
    """Members drawn per sample in training (crps)."""


@config
class WeatherConfig:
    """A forecast model."""

    name: str = "gcm"
    """Of the run: everything goes to `runs/<name>/`."""
    seed: int = 0
    """Of weights, order and noise."""
    data: DataConfig = field(default_factory=DataConfig)
    mean: NetworkConfig = field(default_factory=NetworkConfig)
    """The network of the deterministic mean."""
    mean_from: str = ""
    """A trained model whose mean is taken over, by name or path; empty trains one."""
    head: HeadConfig = field(default_factory=HeadConfig)


def channels(data: DataConfig) -> list[Channel]:
    """Predicted maps in the model's order: by variable, then by level; the surface last."""
    upper = [Channel(name, level) for name in data.atmospheric for level in data.levels]
    return upper + [Channel(name) for name in data.surface]
