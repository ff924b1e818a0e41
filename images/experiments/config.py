"""What the ablation runs: the settings of section 4 of the paper, and the sweeps around them."""

from typing import Annotated

from refine_core.config.ranges import (
    NonNegativeFloat,
    OneOrMore,
    PositiveFloat,
    PositiveInt,
    admitting,
)
from refine_core.config.schema import config
from refine_core.errors import InputError

Centroids = Annotated[int, admitting(lambda n: n >= 2, "a whole number of at least 2")]
Bits = Annotated[int, admitting(lambda n: 1 <= n <= 12, "a whole number from 1 to 12")]


@config
class Setup:
    """How one predictor is trained and measured (section 4, common setup)."""

    images: PositiveInt | None = None
    """Training images, the first of the set; null takes all."""
    test_images: PositiveInt | None = None
    """Test images, the first of the set; null takes all."""
    epochs: PositiveInt = 30
    """Passes over the training images."""
    batch: PositiveInt = 256
    """Images a step."""
    learning_rate: PositiveFloat = 1e-3
    """Learning rate of AdamW, constant."""
    weight_decay: NonNegativeFloat = 1e-4
    """Weight decay of AdamW, on every parameter."""
    width: PositiveInt = 512
    """Width of the hidden layer; where several perceptrons share the parameters of one, of that
    one."""
    sigma: NonNegativeFloat = 0.2
    """Standard deviation of the noise, in training and in the test; pixels lie in [0, 1]."""
    shifted_sigma: NonNegativeFloat = 0.3
    """Standard deviation of the noise in the test of robustness."""
    target: PositiveFloat = 0.018
    """Mean squared error; the first epoch that reaches it is reported."""
    bottleneck: PositiveInt = 64
    """Dimensions d of the latent space."""
    autoencoder_epochs: PositiveInt = 10
    """Passes over the clean training images for the autoencoder and the learned bits."""
    codes: Centroids = 64
    """Centroids of a codebook."""
    bits: Bits = 8
    """Bits of the bitwise heads."""
    validations: PositiveInt = 30
    """Largest number of epochs, evenly spread, after which the test error is computed."""

    def __post_init__(self) -> None:
        """Refuse codes and bits that do not fit each other or the latent space."""
        if self.codes > 2**self.bits:
            raise InputError(
                f"found {self.codes} codes for {self.bits} bits, expected at most "
                f"{2**self.bits}, a word for each"
            )
        if self.bits > self.bottleneck:
            raise InputError(
                f"found {self.bits} bits in a bottleneck of {self.bottleneck}, expected at most "
                "as many as dimensions"
            )


@config
class Sweeps:
    """One setting is varied at a time, with a fixed number of updates instead of epochs."""

    seeds: OneOrMore[int] = (0, 1)
    """Each predictor is trained once for each."""
    updates: PositiveInt = 800
    """Optimiser steps of every predictor."""
    autoencoder_updates: PositiveInt = 1500
    """Optimiser steps of every autoencoder."""
    validations: PositiveInt = 10
    """How often the test error is computed during training."""
    images: OneOrMore[PositiveInt] = (1000, 5000, 20000, 60000)
    """Sizes of the training set; autoencoder and codebooks are fitted to the same images."""
    sigma: OneOrMore[NonNegativeFloat] = (0.1, 0.2, 0.5, 1.0)
    """Noise levels."""
    width: OneOrMore[PositiveInt] = (32, 128, 512)
    """Widths of the hidden layer."""
    course_images: PositiveInt = 10000
    """Training images of the experiments whose test error is computed after every epoch."""
    groups: OneOrMore[PositiveInt] = (1, 2, 4, 8, 16)
    """Groups of product quantisation, each with its own codebook; they divide the bottleneck."""


@config
class AblationConfig:
    """The paper's Tables 1 to 4 measured, and the conditions under which its claims hold."""

    setup: Setup = Setup()
    """The setup behind the tables."""
    seeds: OneOrMore[int] = (0, 1, 2)
    """Every row of the tables is measured once for each."""
    sweeps: Sweeps | None = None
    """Null leaves the sweeps out."""
    workers: PositiveInt = 2
    """Processes, of one thread each."""
    note: str = ""
    """Printed at the top of the report, e.g. that this is a preset."""

    def __post_init__(self) -> None:
        """Refuse groups into which the latent space does not divide."""
        groups, size = self.sweeps.groups if self.sweeps else (), self.setup.bottleneck
        if any(size % count for count in groups):
            raise InputError(
                f"found sweeps.groups {list(groups)}, expected numbers that divide the bottleneck "
                f"of {size}"
            )
