"""Configuration of the images domain; the files are in `configs/images/`."""

from dataclasses import field
from pathlib import Path
from typing import Literal

from refine_core.config.ranges import RunName
from refine_core.config.schema import config
from refine_core.training.config import Optimisation


@config
class TokenizerConfig:
    """The multi-scale tokeniser."""

    sizes: tuple[int, ...] = (1, 2, 4, 7)
    """Side of each scale's grid, coarse to fine; the finest is the feature grid."""
    parts: tuple[int, ...] = (1,)
    """Calls in which a scale is drawn, its cells interleaved: one count for all, or one each."""
    quantizer: Literal["vq", "product", "fsq", "bitwise"] = "vq"
    """vq: nearest code; product: one per group of channels; fsq: a fixed grid; bitwise: signs."""
    codes: tuple[int, ...] = (128,)
    """Codebook entries (of each group, if product): one count for all scales, or one per scale."""
    groups: int = 4
    """Groups of channels (product)."""
    levels: tuple[int, ...] = (8, 5, 5, 5)
    """Levels of each channel (fsq)."""
    codebooks: Literal["per_scale", "shared", "base"] = "per_scale"
    """per_scale: one each; shared: one, as VAR; base: one for the coarsest, one for the rest."""
    dim: int = 16
    """Channels of the features (fsq: count of `levels`; bitwise: bits)."""
    loop: Literal["closed", "open"] = "closed"
    """closed: VAR's, quantises what is still missing; open: the paper's Laplacian bands."""
    phi: bool = True
    """Whether a learned convolution follows each expansion."""
    truncation: float = 0.3
    """Share of training samples decoded from a random number of coarse scales only."""
    width: int = 64
    """Channels inside encoder and decoder."""
    blocks: int = 2
    """Residual blocks of the encoder, and of the decoder."""
    patch: int = 4
    """Pixels per side of a feature."""
    training: Optimisation = field(default_factory=Optimisation)


@config
class GeneratorConfig:
    """The next-scale transformer."""

    dim: int = 128
    """Width."""
    depth: int = 4
    """Blocks."""
    heads: int = 4
    """Attention heads."""
    history: Literal["full", "markov"] = "full"
    """full: a scale sees all coarser ones; markov: only the state it refines."""
    weights: tuple[float, ...] = (1.0,)
    """Loss weight of a token: one for all scales, or one per scale."""
    corruption: float = 0.2
    """Largest share of code digits replaced in self-correction training."""
    dropout: float = 0.0
    """Dropout inside the blocks."""
    class_dropout: float = 0.1
    """Share of samples trained without their class, for guidance."""
    training: Optimisation = field(default_factory=Optimisation)


@config
class SamplingConfig:
    """How each scale is sampled: one value for all scales, or one per scale."""

    temperature: tuple[float, ...] = (1.0,)
    """Divides the logits; 0 takes the most likely code."""
    top_k: int | None = None
    """Keeps that many most likely codes."""
    top_p: tuple[float, ...] = (1.0,)
    """Keeps the most likely codes of that mass."""
    guidance: tuple[float, ...] = (0.0,)
    """Weight of classifier-free guidance."""


@config
class ImagesConfig:
    """A tokeniser and a generator on images."""

    name: RunName = "mnist"
    """Of the run: everything goes to `runs/<name>/`."""
    data: Path | None = None
    """IDX files, .npz, or a folder of PNGs; null is MNIST, downloaded once."""
    seed: int = 0
    """Of weights, order and noise."""
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
