"""What the ablation runs: the settings of section 4 of the paper, and the sweeps around them."""

from typing import Annotated

from pydantic import Field

from refine_core.config.schema import config

Count = Annotated[int, Field(gt=0)]
Sigma = Annotated[float, Field(ge=0)]


@config
class Setup:
    """How one predictor is trained and measured (section 4, common setup)."""

    images: Count | None = None
    """Training images, the first of the set; null takes all."""
    test_images: Count | None = None
    """Test images, the first of the set; null takes all."""
    epochs: Count = 30
    """Passes over the training images."""
    batch: Count = 256
    """Images a step."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    """Learning rate of AdamW, constant."""
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    """Weight decay of AdamW, on every parameter."""
    width: Count = 512
    """Width of the hidden layer; where several perceptrons share the parameters of one, of that
    one."""
    sigma: Sigma = 0.2
    """Standard deviation of the noise, in training and in the test; pixels lie in [0, 1]."""
    shifted_sigma: Sigma = 0.3
    """Standard deviation of the noise in the test of robustness."""
    target: Annotated[float, Field(gt=0)] = 0.018
    """Mean squared error; the first epoch that reaches it is reported."""
    bottleneck: Count = 64
    """Dimensions d of the latent space."""
    autoencoder_epochs: Count = 10
    """Passes over the clean training images for the autoencoder and the learned bits."""
    codes: Annotated[int, Field(ge=2)] = 64
    """Centroids of a codebook."""
    bits: Annotated[int, Field(gt=0, le=12)] = 8
    """Bits of the bitwise heads."""
    validations: Count = 30
    """Largest number of epochs, evenly spread, after which the test error is computed."""


@config
class Sweeps:
    """One setting is varied at a time, with a fixed number of updates instead of epochs."""

    seeds: tuple[int, ...] = (0, 1)
    """Each predictor is trained once for each."""
    updates: Count = 800
    """Optimiser steps of every predictor."""
    autoencoder_updates: Count = 1500
    """Optimiser steps of every autoencoder."""
    validations: Count = 10
    """How often the test error is computed during training."""
    images: tuple[Count, ...] = (1000, 5000, 20000, 60000)
    """Sizes of the training set; autoencoder and codebooks are fitted to the same images."""
    sigma: tuple[Sigma, ...] = (0.1, 0.2, 0.5, 1.0)
    """Noise levels."""
    width: tuple[Count, ...] = (32, 128, 512)
    """Widths of the hidden layer."""
    course_images: Count = 10000
    """Training images of the experiments whose test error is computed after every epoch."""
    groups: tuple[Count, ...] = (1, 2, 4, 8, 16)
    """Groups of product quantisation, each with its own codebook; they divide the bottleneck."""


@config
class AblationConfig:
    """The paper's Tables 1 to 4 measured, and the conditions under which its claims hold."""

    setup: Setup = Setup()
    """The setup behind the tables."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Every row of the tables is measured once for each."""
    sweeps: Sweeps | None = None
    """Null leaves the sweeps out."""
    workers: Count = 2
    """Processes, of one thread each."""
    note: str = ""
    """Printed at the top of the report, e.g. that this is a preset."""
