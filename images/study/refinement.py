"""Refinement as an arm of the study: of latents or pixels, codes or real values, by few scales.

An arm is a `Refiner` over a pyramid. Codes have independent categorical digits; real values have
a Gaussian, a mixture of Gaussians, or a rectified flow for each token. Several scales, one scale
in one call, and one scale in n parts differ in the pyramid's schedule alone.

Bits. For codes see `images.study.likelihood`. Real-valued codes of several scales have more
numbers than the image, so that their joint density is none of the image. With a forward process
that adds noise of known scale (a mild randomness, as the paper's section 6 asks for),

    c_k = residual_k(x, s_k) + sigma_k e,   e ~ N(0, I),

they are the latent variables of a variational autoencoder (arXiv 1312.6114), and with y the
dequantised image

    log p(y) >= E_q [ sum_k log p(c_k | c_<k) - sum_{k: sigma_k > 0} log q(c_k | c_<k, x) ].

Here the finest scale has no noise: given the coarser codes, its code and y determine each other
with a Jacobian of one. Without coarser scales that is the density itself. With noise on the finest
scale too, or in latents, which the image determines but not the other way round, the likelihood of
grey levels given the decoded state is one more factor, as it is for codes.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Self

import torch
from torch import Tensor

from images.study.backbone import TransformerShape, matched
from images.study.forward_noise import (
    FORWARD,
    NO_NOISE,
    Forward,
    ForwardNoise,
    ImageRefiner,
    Units,
)
from images.study.likelihood import LEVELS, DecoderLikelihood, per_dim
from images.study.model import Bits, Setting, StudyModel
from images.study.pixel_pyramid import PixelTokenizer
from images.study.registry import Draws, Law
from refine_core.errors import InputError
from refine_core.grid import GridEmbed, build_refiner
from refine_core.heads.depth import DepthHead
from refine_core.heads.distribution import Head
from refine_core.heads.flow import FlowHead
from refine_core.heads.gaussian import GaussianMixtureHead
from refine_core.noise import Noise
from refine_core.quantizers.exact import Exact
from refine_core.residual import ResidualTokenizer
from refine_core.sampling.settings import Sampling
from refine_core.tokenizer import Trace

COMPONENTS = 8
"""Gaussians of a token's mixture."""


class Refinement(StudyModel):
    """Next-scale refinement over the codes of a frozen tokeniser.

    Args:
        refiner: The generator.
    """

    def __init__(self, refiner: ImageRefiner) -> None:
        super().__init__()
        self.refiner = refiner
        self.tokens = sum(scale.tokens for scale in self.tokenizer.schedule)
        self.decoder_likelihood = DecoderLikelihood()

    @classmethod
    def build(
        cls,
        tokenizer: ResidualTokenizer,
        shape: TransformerShape,
        classes: int,
        parameters: int,
        *,
        law: Law = "codes",
        draws: Draws = "independent",
        images: Tensor | None = None,
        forward: Forward = NO_NOISE,
        dropout: float = 0.1,
    ) -> Self:
        """The arm with about that many trained parameters.

        Args:
            tokenizer: Trained, where there is something to train; frozen here.
            shape: Of the transformer.
            classes: Count of classes.
            parameters: How many are asked for.
            law: Of a token: independent digits of its code, a Gaussian, a mixture of them, or a
                flow from noise, of which bits are those of the exact flow.
            draws: Whether the codes of a call are drawn independently, or one after the other by a
                small network; real values are drawn independently.
            images: Training images (n, c, h, w), on which the units of real-valued codes are
                measured; needed for these alone.
            forward: Noise of the forward process, for real-valued codes.
            dropout: Share of training samples whose class is dropped, for guidance.

        Raises:
            InputError: The law does not suit the tokeniser's codes, or real-valued codes lack
                images; and see `images.study.backbone.matched`.
        """
        real = isinstance(tokenizer.quantizer(0), Exact)
        if real != (law != "codes"):
            raise InputError(
                f"Found the law {law!r} for a tokeniser of {'real values' if real else 'codes'}: "
                "codes take 'codes', the quantiser `Exact` one of the other laws."
            )
        noise, units = None, None
        if real:
            if images is None:
                raise InputError("Real-valued codes need training images: give `images`.")
            units = Units.measure(tokenizer, images, forward)
            noise = ForwardNoise(units.sigma)
        head: Callable[[], Head[Tensor] | None]
        if draws == "sequential" and not real:
            head = partial(_sequential_head, tokenizer, shape.dim)
        else:
            head = partial(_head, law, units, shape.dim)
        make = partial(_arm_refiner, tokenizer, shape, classes, head, noise)
        return matched(lambda mlp: cls(make(mlp=mlp, dropout=dropout)), parameters, shape.dim)

    @property
    def tokenizer(self) -> ResidualTokenizer:
        """The frozen tokeniser."""
        assert isinstance(self.refiner.tokenizer, ResidualTokenizer)
        return self.refiner.tokenizer

    @property
    def forward_noise(self) -> ForwardNoise | None:
        """Noise of the forward process; None for codes."""
        methods = self.refiner.own_methods
        return next((each for each in methods if isinstance(each, ForwardNoise)), None)

    def forward(self, batch: tuple[Tensor, Tensor], noise: Noise) -> dict[str, Tensor]:
        """Mean negative log-probability or -density of a token, in nats; a sample's in bits."""
        losses: dict[str, Tensor] = self.refiner(batch, noise)
        return losses

    def settings(self) -> list[Setting]:
        """One call for each scale."""
        return [Setting(len(self.tokenizer.schedule))]

    @torch.no_grad()
    def sample(self, noise: Noise, labels: Tensor, setting: Setting) -> Tensor:
        """Images (b, 1, h, w) in [0, 1]."""
        return self.tokenizer.finish(self._drawn(noise, labels, setting).states[-1])

    @torch.no_grad()
    def states(self, noise: Noise, labels: Tensor, setting: Setting) -> list[Tensor]:
        """Images of the state after each scale."""
        trace = self._drawn(noise, labels, setting)
        return [self.tokenizer.finish(state) for state in trace.states[1:]]

    @torch.no_grad()
    def guess(
        self,
        images: Tensor,
        labels: Tensor,
        step: int,
        setting: Setting,
        forward: Noise,
        noise: Noise,
    ) -> Tensor:
        """Images of the images' own codes of `step` scales, and drawn ones of the others.

        The finest size has noise where drawn codes of it do: where a flow draws them.
        """
        noisy = isinstance(self.refiner.head, FlowHead)
        codes = self._trace(images, forward, finest=noisy)[0].codes[:step]
        trace = self._drawn(noise, labels, setting, codes)
        return self.tokenizer.finish(trace.states[-1])

    @torch.no_grad()
    def calibrate(self, images: Tensor, labels: Tensor, noise: Noise) -> None:
        """Fit the likelihood of grey levels given what the final state decodes to."""
        if self._direct:
            return
        parts = zip(images.split(500), noise.index.split(500), strict=True)
        decoded = [
            self.tokenizer.finish(self._trace(part, Noise(noise.seed, index))[0].states[-1])
            for part, index in parts
        ]
        self.decoder_likelihood.fit(torch.cat(decoded), images)

    @torch.no_grad()
    def bits(self, images: Tensor, labels: Tensor, noise: Noise) -> Bits | None:
        """Bits per dimension, see the module; None where some code has no proper density.

        That is where several scales of real values have no noise: the density of numbers that
        others determine can be as large as one likes.
        """
        if not self._proper:
            return None
        trace, log_q = self._trace(images, noise)
        laws = self.refiner.distributions(trace.states[:-1], labels)
        each = [law.log_prob(code) for law, code in zip(laws, trace.codes, strict=True)]
        nats = torch.stack(each, 1).double().sum(1) - log_q
        if self._direct:
            nats = nats - images[0].numel() * math.log(LEVELS / 2)
            noisy = self.forward_noise is not None and bool(self.forward_noise.sigma.any())
            return Bits(per_dim(nats, images), "bound" if noisy else "exact")
        decoded = self.tokenizer.finish(trace.states[-1])
        nats = nats + self.decoder_likelihood.log_prob(decoded, images)
        return Bits(per_dim(nats, images), "bound")

    def after_step(self) -> None:
        """Let the refiner's methods learn from the step."""
        self.refiner.after_step()

    @property
    def _direct(self) -> bool:
        """Whether the finest codes are the dequantised image itself, of pixels without noise."""
        noise, tokens = self.forward_noise, self.tokenizer
        pixels = isinstance(tokens, PixelTokenizer) and tokens.dequantise
        return noise is not None and pixels and float(noise.sigma[-1]) == 0

    @property
    def _proper(self) -> bool:
        """Whether bits follow: see `bits`."""
        noise = self.forward_noise
        if noise is None:
            return True
        finest = self.tokenizer.schedule[-1].size
        needed = [self._needs_noise(size == finest) for size in self.tokenizer.schedule.sizes]
        return all(not need or float(s) > 0 for need, s in zip(needed, noise.sigma, strict=True))

    def _needs_noise(self, finest: bool) -> bool:
        return not (finest and self._direct)

    def _trace(
        self, images: Tensor, noise: Noise, *, finest: bool = True
    ) -> tuple[Trace[Tensor], Tensor]:
        """Codes and states of images, and log q of the codes; zero for those of no noise."""
        features = self.tokenizer.features(images, noise)
        if self.forward_noise is None:
            return self.tokenizer.trace(features), features.new_zeros(len(images)).double()
        own = noise.fork(FORWARD)
        return self.forward_noise.trace(self.tokenizer, features, own, finest=finest)

    def _drawn(
        self, noise: Noise, labels: Tensor, setting: Setting, codes: Sequence[Tensor] = ()
    ) -> Trace[Tensor]:
        count = len(self.tokenizer.schedule)
        if setting.calls != count or setting.sampler:
            raise InputError(
                f"Found {setting.calls} calls of the sampler {setting.sampler!r} for {count} "
                "scales, expected one call each, and no sampler."
            )
        how = Sampling(temperature=setting.temperature, guidance=setting.guidance)
        return self.refiner.sample_trace(noise, labels, sampling=[how], codes=codes)


def _arm_refiner(
    tokenizer: ResidualTokenizer,
    shape: TransformerShape,
    classes: int,
    head: Callable[[], Head[Tensor] | None],
    noise: ForwardNoise | None,
    *,
    mlp: float,
    dropout: float,
) -> ImageRefiner:
    """The refiner of an arm, of feed-forward layers of `mlp` times the width."""
    return build_refiner(
        tokenizer,
        GridEmbed(tokenizer, shape.dim, classes),
        dim=shape.dim,
        depth=shape.depth,
        heads=shape.heads,
        head=head(),
        mlp=mlp,
        context_dropout=dropout,
        methods=[] if noise is None else [noise],
    )


def _sequential_head(tokenizer: ResidualTokenizer, dim: int) -> Head[Tensor]:
    """Head that draws all codes of a call one after the other."""
    values = [tokenizer.digit_values(k) for k in range(len(tokenizer.schedule))]
    return DepthHead(dim, tokenizer.digits(0), values, across="tokens", width=64, depth=1)


def _head(law: Law, units: Units | None, dim: int) -> Head[Tensor] | None:
    """Head of real-valued codes; None for codes, which have one of their own."""
    if units is None:
        return None
    scales, channels = units.mean.shape
    if law == "flow":
        return FlowHead(dim, channels, scales, width=dim, mean=units.mean, spread=units.spread)
    count = COMPONENTS if law == "mixture" else 1
    return GaussianMixtureHead(dim, channels, scales, count, mean=units.mean, spread=units.spread)
