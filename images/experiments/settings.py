"""What the ablation runs: the settings of section 4, and the sweeps around them."""

from typing import Annotated

from pydantic import Field

from refine_core.config.schema import config

Count = Annotated[int, Field(gt=0)]
Sigma = Annotated[float, Field(ge=0)]


@config
class Setup:
    """How one predictor is trained and judged (section 4, common setup)."""

    images: Count | None = None
    """Training images, the first of the set; null takes all."""
    test_images: Count | None = None
    """Test images, the first of the set; null takes all."""
    epochs: Count = 30
    """Passes over the training images."""
    batch: Count = 256
    """Images a step."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    """Of AdamW, constant."""
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    """Of AdamW, on every parameter."""
    width: Count = 512
    """Of the hidden layer; of a single perceptron where several share its parameters."""
    sigma: Sigma = 0.2
    """Standard deviation of the noise, in training and in the test; pixels lie in [0, 1]."""
    shifted_sigma: Sigma = 0.3
    """Standard deviation of the noise in the test of robustness."""
    target: float = 0.018
    """Mean squared error whose first crossing is timed."""
    bottleneck: Count = 64
    """Dimensions d of the latent space."""
    autoencoder_epochs: Count = 10
    """Passes over the clean training images for the autoencoder and the learned bits."""
    codes: Count = 64
    """Centroids of a codebook."""
    bits: Annotated[int, Field(gt=0, le=12)] = 8
    """Of the bitwise heads."""
    validations: Count = 30
    """Largest number of epochs, evenly spread, after which the test error is taken."""


@config
class Sweeps:
    """One setting is varied at a time, with a fixed number of updates instead of epochs."""

    seeds: tuple[int, ...] = (0, 1)
    """A run each."""
    updates: Count = 800
    """Optimiser steps of every predictor."""
    autoencoder_updates: Count = 1500
    """Optimiser steps of every autoencoder."""
    validations: Count = 10
    """Test errors taken during training."""
    images: tuple[Count, ...] = (1000, 5000, 20000, 60000)
    """Training-set sizes; the autoencoder and the codebooks see no other images either."""
    sigma: tuple[Sigma, ...] = (0.1, 0.2, 0.5, 1.0)
    """Noise levels."""
    width: tuple[Count, ...] = (32, 128, 512)
    """Widths of the hidden layer."""
    course_images: Count = 10000
    """Training images of the runs whose test error is followed epoch by epoch."""
    groups: tuple[Count, ...] = (1, 2, 4, 8, 16)
    """Groups of product quantisation, each with its own codebook; they divide the bottleneck."""


@config
class AblationConfig:
    """The paper's Tables 1 to 4 measured, and the conditions under which its claims hold."""

    setup: Setup = Setup()
    """Of the runs behind the tables."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """A run of every row of the tables for each."""
    sweeps: Sweeps | None = None
    """Null leaves the sweeps out."""
    workers: Count = 2
    """Processes, of one thread each."""
    note: str = ""
    """Stands at the top of the report, e.g. that this is a preset."""
