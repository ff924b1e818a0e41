"""What a study runs: arms, one budget for all, how each is tuned, and what is measured."""

from dataclasses import field
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from images.config import Guidance, TokenizerConfig
from images.study.registry import ARMS, STANDARD
from refine_core.config.ranges import (
    NonNegativeFloat,
    NonNegativeInt,
    OneOrMore,
    PositiveFloat,
    PositiveInt,
    Share,
    ShareBelowOne,
    admitting,
)
from refine_core.config.schema import config
from refine_core.errors import InputError, suggest
from refine_core.training.config import Optimisation

Rising = Annotated[
    OneOrMore[PositiveInt],
    admitting(lambda numbers: all(a < b for a, b in pairwise(numbers)), "rising numbers"),
]
Samples = Annotated[int, admitting(lambda n: n >= 10, "a whole number of at least 10")]


@config
class BackboneConfig:
    """The transformer of every arm."""

    dim: PositiveInt = 128
    """Width, a multiple of `heads`."""
    depth: PositiveInt = 4
    """Count of blocks."""
    heads: PositiveInt = 4
    """Attention heads."""
    parameters: PositiveInt = 1_300_000
    """Trained parameters of every arm, within 2 %, by the width of its feed-forward layers."""

    def __post_init__(self) -> None:
        """Refuse a width that the heads do not divide."""
        if self.dim % self.heads:
            raise InputError(
                f"found dim {self.dim} for {self.heads} heads, expected a multiple of the heads"
            )


@config
class Budget:
    """The training of every arm: tokens of the transformer times steps are equal."""

    tokens: PositiveInt = 30_000_000
    """Tokens that the transformer sees in one run."""
    batch: PositiveInt = 128
    """Images a step."""
    weight_decay: NonNegativeFloat = 0.05
    """AdamW's decoupled weight decay, on matrices."""
    warmup: Share = 0.05
    """Share of the steps in which the learning rate rises from zero; it then falls by a cosine."""
    ema: ShareBelowOne = 0.999
    """Decay of the average of the weights that is kept."""
    class_dropout: Share = 0.1
    """Share of samples trained without their class, for guidance."""
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed"
    """Of the transformer, in training and sampling; bits are computed in single precision."""
    points: PositiveInt = 6
    """Points of the learning curve."""

    def steps(self, tokens: int, share: float = 1.0) -> int:
        """Optimiser steps that the budget allows an arm of `tokens` tokens a sample.

        >>> Budget(tokens=1_000_000, batch=100).steps(50)
        200
        """
        return max(1, round(self.tokens * share / (tokens * self.batch)))

    def optimisation(self, learning_rate: float) -> Optimisation:
        """Settings of `fit`; the data are as long as the run, so that it has one epoch."""
        return Optimisation(
            epochs=1,
            batch=self.batch,
            learning_rate=learning_rate,
            warmup=self.warmup,
            weight_decay=self.weight_decay,
            ema=self.ema,
            precision=self.precision,
        )


@config
class ForwardNoiseLevels:
    """Noise of the forward process of real values, without which their bits are not defined."""

    coarse: NonNegativeFloat = 0.3
    """Of the scales before the finest, in units of how far the scale's values spread."""
    pixels: NonNegativeFloat = 0.1
    """Of the finest scale of pixels in [-1, 1]; at 0 the density is that of the pixels."""
    latents: NonNegativeFloat = 0.2
    """Of the finest scale of latents, whose deviation is one."""


@config
class Tuning:
    """What is chosen for each arm, among as many candidates for all, on images held out.

    The learning rate is that of the smallest loss, for after a part of the training samples of all
    rates are as bad; the weight of guidance that of the smallest Frechet distance of samples.
    """

    images: Samples = 5000
    """Training images, the last, that are held out and never trained on."""
    samples: Samples = 2000
    """Samples of each candidate."""
    learning_rates: OneOrMore[PositiveFloat] = (1e-3, 2e-3, 4e-3)
    """Peak learning rates; each is tried once, with the first seed."""
    further_rates: tuple[PositiveFloat, ...] = ()
    """Peak learning rates that `further_arms` try as well."""
    further_arms: tuple[str, ...] = ()
    """Arms whose best rate was an outermost of `learning_rates`: the report names them."""
    share: Share = 0.25
    """Share of the budget of a run that each trial of a learning rate gets."""
    guidance: OneOrMore[Guidance] = (0.0, 0.5, 1.0, 2.0)
    """Weights of classifier-free guidance; chosen with the first seed for each sampler and count
    of calls, of which those of more than `measurement.many` share one."""
    calls: PositiveInt = 16
    """Candidates sample by the arm's setting of most calls among those of that many at most."""


@config
class Measurement:
    """What is measured of each trained arm."""

    samples: Samples = 5000
    """Samples of each setting, compared with as many test images."""
    calls: Rising = (1, 2, 3, 4, 5, 6, 7, 8, 10, 15, 16, 31, 32, 99, 100)
    """Settings of an arm that are measured: those of so many network calls."""
    many: PositiveInt = 16
    """Beyond so many calls only `samplers` are measured."""
    samplers: tuple[str, ...] = ("ddpm", "dpm-solver++", "euler", "confidence")
    """Samplers that are measured at any count of calls; "" is that of arms that have one."""
    unguided_calls: NonNegativeInt = 16
    """Settings of up to so many calls are measured without guidance, too, and all settings of arms
    that compute each token once."""
    bits_images: NonNegativeInt = 1000
    """Test images whose bits are computed; 0 leaves them out."""
    fit_images: PositiveInt = 5000
    """Training images on which arms fit what their bits need besides the network."""
    energy_samples: Samples = 500
    """Samples whose energy is computed after each call."""
    timed_images: PositiveInt = 100
    """Images of the batch that is timed."""
    timed_rounds: PositiveInt = 5
    """Rounds over all settings; the median time of a setting counts."""


@config
class StudyConfig:
    """Refinement and diffusion with one backbone, one budget and the same tuning."""

    arms: OneOrMore[str] = STANDARD
    """Names of what is compared; an unknown one lists all."""
    refiner: str = "latent-codes"
    """The arm that stands for refinement in the claim that it dominates diffusion."""
    seeds: OneOrMore[NonNegativeInt] = (0, 1, 2)
    """Each arm is trained once for each, on a tokeniser of the same seed."""
    images: PositiveInt | None = None
    """Training images, the first of the set, before some are held out; null takes all."""
    data: Path | None = None
    """Labelled images by path, see `refine images train`; null is MNIST."""
    judge: Path | None = None
    """Weights of `refine images train-evaluator`; null takes the shipped ones, for MNIST."""
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    tokenizer: TokenizerConfig = field(
        default_factory=lambda: TokenizerConfig(
            training=Optimisation(epochs=6, learning_rate=2e-3)
        )
    )
    """The autoencoder of latent arms; `sizes` and `parts` are those of each arm."""
    forward: ForwardNoiseLevels = field(default_factory=ForwardNoiseLevels)
    budget: Budget = field(default_factory=Budget)
    tuning: Tuning = field(default_factory=Tuning)
    measurement: Measurement = field(default_factory=Measurement)
    workers: PositiveInt = 2
    """Processes, of one thread each."""
    revision: NonNegativeInt = 0
    """Part of the key of every result: raise it when a change of the code changes results."""
    note: str = ""
    """Printed at the top of the report, e.g. that this is a preset."""

    def learning_rates(self, arm: str) -> tuple[float, ...]:
        """Peak learning rates that an arm tries."""
        further = self.tuning.further_rates if arm in self.tuning.further_arms else ()
        return (*self.tuning.learning_rates, *further)

    def __post_init__(self) -> None:
        """Refuse arms that are not known, or given twice."""
        for name in self.arms:
            if name not in ARMS:
                raise InputError(
                    f"found the arm {name!r}, expected names among {', '.join(ARMS)}."
                    f"{suggest(name, ARMS)}"
                )
        twice = [name for name in dict.fromkeys(self.arms) if self.arms.count(name) > 1]
        if twice:
            raise InputError(f"found the arm {twice[0]!r} twice in `arms`, expected it once")
        if self.refiner not in self.arms:
            raise InputError(
                f"found the refiner {self.refiner!r}, expected one of `arms`: "
                f"{', '.join(self.arms)}.{suggest(self.refiner, self.arms)}"
            )
        if unknown := [arm for arm in self.tuning.further_arms if arm not in self.arms]:
            raise InputError(
                f"found {unknown[0]!r} in `tuning.further_arms`, expected one of `arms`: "
                f"{', '.join(self.arms)}.{suggest(unknown[0], self.arms)}"
            )
        if len(set(self.seeds)) < len(self.seeds):
            raise InputError(f"found seeds {list(self.seeds)}, expected each once")
