"""Configuration of the networks of a forecast model."""

from dataclasses import field
from typing import Annotated, Literal

from refine_core.config.ranges import (
    NonNegativeFloat,
    PositiveInt,
    Share,
    ShareBelowOne,
    admitting,
)
from refine_core.config.schema import config
from refine_core.methods.registry import Methods
from refine_core.training.config import Optimisation

Sizes = Annotated[
    tuple[tuple[PositiveInt, PositiveInt], ...], admitting(bool, "the size of at least one scale")
]
AtLeastTwo = Annotated[int, admitting(lambda n: n >= 2, "a whole number of at least 2")]


@config
class NetworkConfig:
    """The backbone of the mean and of every head."""

    dim: PositiveInt = 192
    """Width of the tokens."""
    depth: PositiveInt = 4
    """Transformer blocks."""
    heads: PositiveInt = 6
    """Attention heads."""
    width: PositiveInt = 64
    """Channels of the convolutions around the transformer."""
    grid: tuple[PositiveInt, PositiveInt] = (8, 16)
    """Latitudes and longitudes of the transformer's tokens."""
    dropout: ShareBelowOne = 0.0
    """Dropout inside the blocks."""
    turned: bool = True
    """Whether training rotates samples around the globe, static fields with them."""
    training: Optimisation = field(default_factory=Optimisation)


@config
class TokenizerConfig:
    """The multi-scale tokeniser of the residual."""

    sizes: Sizes = ((2, 4), (4, 8), (8, 16), (8, 16))
    """Latitudes and longitudes of each scale, coarse to fine; the finest is the feature grid."""
    parts: tuple[PositiveInt, ...] = (1,)
    """Calls in which a scale is sampled, its cells interleaved: one count for all, or one each."""
    quantizer: Literal["product", "bitwise"] = "product"
    """product: one codebook per group of channels; bitwise: signs."""
    codes: AtLeastTwo = 16
    """Codebook entries of each group (product)."""
    dim: PositiveInt = 64
    """Channels of the features (bitwise: bits)."""
    groups: PositiveInt = 16
    """Groups of channels (product)."""
    training: Optimisation = field(default_factory=Optimisation)


@config
class HeadConfig:
    """How the residual about the mean is sampled."""

    kind: Literal["refine", "deterministic", "bank", "gaussian", "diffusion", "crps"] = "refine"
    """refine: codes, scale by scale; the others are controls: the mean alone, its past errors,
    Gaussian noise, EDM diffusion, a network trained on the almost-fair CRPS."""
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    history: Literal["full", "markov"] = "full"
    """full: a scale attends to all coarser ones; markov: only to the state it refines (refine)."""
    corruption: Share = 0.1
    """Largest share of code digits replaced in self-correction training (refine)."""
    temperature: tuple[NonNegativeFloat, ...] = (1.0,)
    """Divides the logits: one for all scales, or one per scale (refine)."""
    methods: Methods = field(default_factory=dict)
    """Methods of training and sampling, as a list of names or fields by name (refine)."""
    levels: AtLeastTwo = 20
    """Noise levels of the second-order sampler (diffusion)."""
    members: AtLeastTwo = 2
    """Members sampled per window in training (crps)."""

    @property
    def is_trained(self) -> bool:
        """Whether it has a network; other heads are estimated from residuals, or nothing."""
        return self.kind in ("refine", "diffusion", "crps")
