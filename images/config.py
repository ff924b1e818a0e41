"""Configuration of the images domain; the files are in `configs/images/`."""

from dataclasses import field
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator

from refine_core.config.ranges import (
    NonNegativeFloat,
    NonNegativeInt,
    OneOrMore,
    PositiveInt,
    RunName,
    Share,
    ShareBelowOne,
    admitting,
)
from refine_core.config.schema import config
from refine_core.errors import InputError
from refine_core.heads.config import HeadConfig
from refine_core.methods.registry import Methods, SamplingMethods
from refine_core.training.config import Optimisation

Sides = Annotated[
    OneOrMore[PositiveInt],
    admitting(lambda sides: all(a <= b for a, b in pairwise(sides)), "sides that do not shrink"),
]
Count = Annotated[int, admitting(lambda n: n >= 2, "a whole number of at least 2")]
Width = Annotated[int, admitting(lambda n: n > 0 and n % 8 == 0, "a multiple of 8")]
Guidance = Annotated[float, admitting(lambda w: w > -1, "a number above -1; 0 is none")]
Mass = Annotated[float, admitting(lambda p: 0 < p <= 1, "a number above 0, up to 1")]
Ranks = Annotated[
    OneOrMore[PositiveInt | None],
    BeforeValidator(lambda given: given if isinstance(given, list | tuple) else (given,)),
]
Weights = Annotated[OneOrMore[NonNegativeFloat], admitting(any, "a weight above 0")]


@config
class TokenizerConfig:
    """The multi-scale tokeniser.

    Raises:
        InputError: A value is out of its range.

    >>> import images
    >>> config = images.TokenizerConfig(sizes=(1, 2, 4, 8), quantizer="fsq", levels=(8, 5, 5))
    >>> config.patch * config.sizes[-1]  # of images of 32 x 32 pixels
    32
    """

    sizes: Sides = (1, 2, 4, 7)
    """Side of each scale's grid, coarse to fine; the finest is the feature grid."""
    parts: OneOrMore[PositiveInt] = (1,)
    """Network calls per size, each for a part of its cells: one count for all, or one per size."""
    calls: OneOrMore[PositiveInt] | None = None
    """Network calls per size where they are fewer than its parts, as of a distilled model: parts
    keep their codes, and consecutive ones are predicted at once. null: as many as parts."""
    order: Literal["lattice", "random", "raster", "groups"] = "lattice"
    """What a part of a size is: cells on interleaved lattices, cells in a fixed random order,
    rows, or groups of channels at all cells (vq only)."""
    quantizer: Literal["vq", "product", "residual", "fsq", "bitwise"] = "vq"
    """vq: nearest code; product: one per group of channels; residual: one for what those before
    left; fsq: a fixed grid; bitwise: signs."""
    codes: OneOrMore[Count] = (128,)
    """Codebook entries (of each group, if product): one count for all sizes, or one per size."""
    groups: PositiveInt = 4
    """Digits of a code: groups of channels (product), or steps (residual)."""
    levels: OneOrMore[Count] = (8, 5, 5, 5)
    """Levels of each channel (fsq)."""
    codebooks: Literal["per_scale", "shared", "base"] = "per_scale"
    """per_scale: one each; shared: one in all, as in VAR; base: a second one for the coarsest."""
    dim: PositiveInt = 16
    """Channels of the features (bitwise: bits; fsq takes the count of `levels` instead)."""
    loop: Literal["closed", "open"] = "closed"
    """closed, as in VAR: a scale quantises the remaining error; open, as in the paper: a band."""
    phi: bool = True
    """Whether a learned convolution follows each expansion."""
    truncation: Share = 0.3
    """Share of training samples decoded from a random number of coarse scales only."""
    centring: NonNegativeFloat = 0.01
    """Weight of the squared mean of features, without which they can drift far from zero."""
    width: Width = 64
    """Channels inside encoder and decoder, a multiple of 8."""
    blocks: NonNegativeInt = 2
    """Residual blocks of the encoder, and as many of the decoder."""
    patch: PositiveInt = 4
    """Side of the square of pixels that a feature stands for."""
    training: Optimisation = field(default_factory=Optimisation)
    """Of the tokeniser, the first stage."""


@config
class AdversarialConfig:
    """The decoder, trained on against a discriminator once the generator is trained."""

    fidelity: NonNegativeFloat = 200.0
    """Weight of the squared error."""
    sampled: Share = 0.5
    """Sampled codes for each image that the decoder learns from, beside the image's own."""
    samples: PositiveInt = 10_000
    """Samples that these codes are taken from."""
    training: Optimisation = field(
        default_factory=lambda: Optimisation(
            epochs=8, learning_rate=1e-3, beta1=0.5, weight_decay=0.0, ema=0.995, clip=None
        )
    )


@config
class AugmentationConfig:
    """Random affine maps of training images; the network is told which are changed."""

    share: Share = 0.0
    """Share of training images that are changed; 0 changes none."""
    rotation: NonNegativeFloat = 15.0
    """Largest angle, in degrees."""
    shear: NonNegativeFloat = 0.2
    """Largest shear."""
    scaling: NonNegativeFloat = 0.15
    """Largest change of the size, as a share of it."""
    shift: NonNegativeFloat = 2.0
    """Largest shift along each axis, in pixels."""


@config
class GeneratorConfig:
    """The next-scale transformer.

    Raises:
        InputError: A value is out of its range, or `heads` does not divide `dim`.

    >>> import images
    >>> images.GeneratorConfig(dim=256, depth=6, heads=8).history
    'full'
    >>> images.GeneratorConfig(dim=250, heads=8)
    Traceback (most recent call last):
    ...
    refine_core.errors.InputError: GeneratorConfig: found dim 250 for 8 heads, expected a...
    """

    dim: PositiveInt = 128
    """Width, a multiple of `heads`."""
    depth: PositiveInt = 4
    """Count of blocks."""
    heads: PositiveInt = 4
    """Attention heads."""
    history: Literal["full", "markov"] = "full"
    """full: a scale sees all coarser ones; markov: only the state it refines."""
    weights: Weights = (1.0,)
    """Loss weight of a token: one for all scales, or one per scale."""
    head: HeadConfig = field(default_factory=HeadConfig)
    """How the codes of a scale depend on each other."""
    corruption: Share = 0.2
    """Largest share of code digits replaced in self-correction training."""
    dropout: ShareBelowOne = 0.0
    """Dropout inside the blocks."""
    class_dropout: Share = 0.1
    """Share of samples trained without their class, for guidance."""
    methods: Methods = field(default_factory=dict)
    """Methods of training and sampling, as a list of names or fields by name."""
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    """Changed training images."""
    training: Optimisation = field(default_factory=Optimisation)
    """Of the transformer and its head, the second stage."""

    def __post_init__(self) -> None:
        """Refuse a width that the heads do not divide."""
        if self.dim % self.heads:
            raise InputError(
                f"found dim {self.dim} for {self.heads} heads, expected a multiple of the heads"
            )


@config
class SamplingConfig:
    """How each scale is sampled: one value for all scales, or one per scale.

    Raises:
        InputError: A value is out of its range.

    >>> import images
    >>> images.SamplingConfig(temperature=(1.0, 0.9, 0.9, 0.8), guidance=(0.5,)).guidance
    (0.5,)
    """

    temperature: OneOrMore[NonNegativeFloat] = (1.0,)
    """Divisor of the logits; 0 takes the most likely code."""
    top_k: Ranks = (None,)
    """Only that many most likely codes are sampled; null samples all."""
    top_p: OneOrMore[Mass] = (1.0,)
    """Only the most likely codes of that total probability are sampled."""
    guidance: OneOrMore[Guidance] = (0.0,)
    """Weight of classifier-free guidance."""
    methods: SamplingMethods = field(default_factory=dict)
    """Methods of sampling, after the generator's own, as a list of names or fields by name."""


@config
class DistillationConfig:
    """A student that needs fewer network calls than a trained model.

    Raises:
        InputError: A value is out of its range.

    >>> import images
    >>> config = images.DistillationConfig(model="runs/mine", rounds=((2,), (1,)))
    >>> config.rounds, config.targets
    (((2,), (1,)), 'laws')
    """

    name: RunName = "distilled"
    """Name of the run; its files go to `runs/<name>/`."""
    data: Path | None = None
    """Images as for training, those of the trained model; null is MNIST, downloaded once."""
    model: str = "mnist"
    """The trained model: a shipped model's name, a run's folder or a file."""
    seed: int = 0
    """Seed of new weights, order and noise."""
    rounds: OneOrMore[OneOrMore[PositiveInt]] = ((1,),)
    """Network calls per size of the student, at most the model's parts; with several rounds each
    student is the teacher of the next."""
    targets: Literal["laws", "draws", "data"] = "laws"
    """laws: the teacher's distributions of the codes that it draws; draws: these codes; data:
    the codes of the images, without a teacher but for the weights to start from."""
    states: Literal["data", "teacher"] = "data"
    """Where the states come from that the teacher draws from: images, or its own samples."""
    guided: bool = True
    """Whether the student learns how the model samples, with its guidance and temperature, so that
    it needs none; else it learns the model's own law, and is sampled as the model is."""
    head: HeadConfig = field(default_factory=HeadConfig)
    """The student's head; one across tokens can hold what draws of parts knew of each other."""
    adapter: NonNegativeInt = 0
    """Rank of low-rank adapters that are trained in place of the transformer's weights, and
    merged into them at the end; 0 trains all weights."""
    training: Optimisation = field(default_factory=Optimisation)
    """Of the student."""


@config
class ImagesConfig:
    """A tokeniser and a generator on images.

    Raises:
        InputError: A value is out of its range.

    >>> from pathlib import Path
    >>> import images
    >>> tokenizer = images.TokenizerConfig(sizes=(1, 2, 4, 8))
    >>> config = images.ImagesConfig(name="mine", data=Path("pictures"), tokenizer=tokenizer)
    >>> config.name, config.generator.depth
    ('mine', 4)
    """

    name: RunName = "mnist"
    """Name of the run; its files go to `runs/<name>/`."""
    data: Path | None = None
    """IDX files, .npz, or a folder of PNGs; null is MNIST, downloaded once."""
    seed: int = 0
    """Seed of weights, order and noise."""
    holdout: NonNegativeInt = 0
    """Last training images that are kept from training, to calibrate and to search on."""
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    """Images to codes and back."""
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    """What predicts the codes."""
    adversarial: AdversarialConfig | None = None
    """A last stage that makes the decoder's images sharp; null leaves it out."""
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    """How the model samples unless it is told otherwise."""
