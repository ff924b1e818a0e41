"""Configuration of the networks of a forecast model."""

from dataclasses import field
from typing import Literal

from refine_core.config.schema import config
from refine_core.training.config import Optimisation


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
