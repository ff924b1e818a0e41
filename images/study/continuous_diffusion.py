"""Denoisers: arms that learn the clean values expected given noisy ones, in pixels or latents.

With x the values of an image, e white noise and a time t from 0 to 1,

    z_t = a(t) x + s(t) e,     x^(z_t, t) = E[x | z_t].

Gaussian diffusion and flow matching differ in a and s, in what the network predicts, and in how
they sample. They share the bound on the bits of an image. With t0 a small time at which a decoder
takes over,

    -log P(image) <= E_{z ~ q(z_t0 | x)} [ log q(z_t0 | x) / p(z_t0) - log P(image | x^(z_t0)) ],

where p(z_t0) is the model's own law of noisy values and P(image | x^) is the likelihood of 256
grey levels about the decoded x^, with scales that were fitted. The same line holds in latents,
whose decoder is the autoencoder's: nothing is assumed of either. (For pixels and one sample of
the chain this is L_0 + ... + L_T of DDPM, arXiv 2006.11239; for an ODE, the truncated bound of
Zheng et al., 2023, arXiv 2305.03935.)
"""

import math
from abc import abstractmethod
from collections.abc import Iterator
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from images.study.backbone import Backbone, TransformerShape, matched
from images.study.likelihood import DecoderLikelihood, per_dim
from images.study.model import Bits, Setting, StudyModel
from images.study.spaces import Space
from refine_core.errors import InputError
from refine_core.noise import Noise, Stream

TIME, NOISE, PRIOR = 0, 1, 2
"""Streams: the time of a sample, the noise that it gets, and what sampling starts from."""
ENDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.5)
"""Times at which a decoder may take over."""
CHOOSING = 64
"""Images on which one of them is chosen."""
STEPS = 600
"""Steps in which the decoder's likelihood is fitted."""


class ContinuousDiffusion(StudyModel):
    """Base of Gaussian diffusion and flow matching.

    Args:
        space: Where values live; nothing of it is trained.
        backbone: From values to predictions, both of the space's channels.
        end: Time t0 at which the decoder takes over, in bits alone, until `calibrate` chooses it.
        dropout: Share of training samples whose class is dropped, for guidance.
    """

    samplers: tuple[str, ...] = ()
    end: Tensor

    def __init__(
        self, space: Space, backbone: Backbone, *, end: float = 0.02, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.space = space.requires_grad_(False)
        self.backbone = backbone
        self.tokens = math.prod(space.size)
        self.dropout = dropout
        self.register_buffer("end", torch.tensor(end))
        self.decoder_likelihood = DecoderLikelihood()

    @classmethod
    def build(
        cls,
        space: Space,
        shape: TransformerShape,
        classes: int,
        parameters: int,
        *,
        dropout: float = 0.1,
    ) -> Self:
        """The arm with about that many trained parameters.

        Raises:
            InputError: See `images.study.backbone.matched`.
        """
        channels = space.channels
        return matched(
            lambda mlp: cls(
                space,
                Backbone(shape, space.size, channels, channels, classes, mlp),
                dropout=dropout,
            ),
            parameters,
            shape.dim,
        )

    @abstractmethod
    def scales(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """a(t) and s(t), (b, 1, 1, 1) each, of times (b,)."""

    def times(self, uniform: Tensor) -> Tensor:
        """Training times (b,) of uniform numbers (b,) in [0, 1): these themselves."""
        return uniform

    @abstractmethod
    def target(self, clean: Tensor, white: Tensor, time: Tensor) -> Tensor:
        """What the network predicts, of clean values and the noise that they got."""

    @abstractmethod
    def expected(self, noisy: Tensor, out: Tensor, time: Tensor) -> Tensor:
        """Clean values that the network's output stands for."""

    @abstractmethod
    def rate(self, values: Tensor, labels: Tensor, noise: Noise) -> Tensor:
        """Nats (b,) by which q(z_t0 | x) exceeds p(z_t0), in expectation: an estimate."""

    @abstractmethod
    def estimates(self, noise: Noise, labels: Tensor, setting: Setting) -> Iterator[Tensor]:
        """Clean values expected at each call while sampling; the last are the sample's."""

    @abstractmethod
    def call_time(self, call: int, setting: Setting) -> float:
        """Time of the noisy values that a call of the sampler sees, the first of them being 0."""

    def forward(self, batch: tuple[Tensor, Tensor], noise: Noise) -> dict[str, Tensor]:
        """Mean squared error of the prediction at random times."""
        images, labels = batch
        dropped = noise.uniform(Stream.CONTEXT_DROPOUT) < self.dropout
        labels = torch.where(dropped, -1, labels)
        clean, time = self.space.encode(images), self.times(noise.uniform(TIME))
        white = noise.normal(NOISE, *clean.shape[1:])
        out = self.backbone(self.noisy(clean, white, time), time, labels)
        return {"loss": F.mse_loss(out, self.target(clean, white, time))}

    def noisy(self, clean: Tensor, white: Tensor, time: Tensor) -> Tensor:
        """a(t) x + s(t) e."""
        a, s = self.scales(time)
        return a * clean + s * white

    def clean(self, noisy: Tensor, time: float, labels: Tensor, guidance: float = 0.0) -> Tensor:
        """Expected clean values (b, c, h, w) given noisy ones, within the space's limits."""
        times = torch.full((len(noisy),), time, device=noisy.device)
        out = self.backbone.guided(noisy, times, labels, guidance)
        return self.space.bound(self.expected(noisy, out, times))

    def start(self, noise: Noise) -> Tensor:
        """White noise (b, c, h, w) that a sample starts from."""
        return noise.normal(PRIOR, self.space.channels, *self.space.size)

    @torch.no_grad()
    def sample(self, noise: Noise, labels: Tensor, setting: Setting) -> Tensor:
        """Images (b, 1, H, W) in [0, 1]."""
        self._check(setting)
        *_, last = self.estimates(noise, labels, setting)
        return self.space.decode(last)

    @torch.no_grad()
    def states(self, noise: Noise, labels: Tensor, setting: Setting) -> list[Tensor]:
        """Decoded clean values expected at each call; the last are the sample."""
        self._check(setting)
        return [self.space.decode(each) for each in self.estimates(noise, labels, setting)]

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
        """What the network expects of images that are as noisy as after `step` calls.

        Nothing is drawn.
        """
        self._check(setting)
        values = self.space.encode(images)
        if step == setting.calls:
            return self.space.decode(values)
        time = self.call_time(step, setting)
        times = torch.full((len(values),), time, device=values.device)
        z = self.noisy(values, forward.normal(NOISE, *values.shape[1:]), times)
        return self.space.decode(self.clean(z, time, labels, setting.guidance))

    @torch.no_grad()
    def calibrate(self, images: Tensor, labels: Tensor, noise: Noise) -> None:
        """Choose the time t0 of least bits, and fit the decoder's likelihood there.

        Earlier, noise is paid for that nobody needs; later, the decoder has to guess. The choice
        is made on a few of the images, with a likelihood that is fitted on as time goes up.
        """
        few = min(len(images), CHOOSING)
        part, own = images[:few], (labels[:few], Noise(noise.seed, noise.index[:few]))
        bits = []
        for end in ENDS:
            self.end.fill_(end)
            self._fit(images, labels, noise, STEPS // 3)
            bits.append(float(self.bits(part, *own).per_dim.mean()))
        self.end.fill_(ENDS[bits.index(min(bits))])
        self._fit(images, labels, noise, STEPS)

    @torch.no_grad()
    def bits(self, images: Tensor, labels: Tensor, noise: Noise) -> Bits:
        """The bound of the module's docstring, one sample of it for each image."""
        rate = self.rate(self.space.encode(images), labels, noise.fork(1))
        decoded = self._decoded(images, labels, noise)
        log_prob = self.decoder_likelihood.log_prob(decoded, images) - rate
        return Bits(per_dim(log_prob, images), "bound")

    def _fit(self, images: Tensor, labels: Tensor, noise: Noise, steps: int) -> None:
        """Fit the likelihood, from what it is, to images about those decoded at time t0."""
        self.decoder_likelihood.fit(self._decoded(images, labels, noise), images, steps=steps)

    def _decoded(self, images: Tensor, labels: Tensor, noise: Noise) -> Tensor:
        """Images decoded from the values expected at time t0."""
        found = []
        for part in torch.arange(len(images), device=images.device).split(500):
            values = self.space.encode(images[part])
            white = Noise(noise.seed, noise.index[part]).normal(NOISE, *values.shape[1:])
            z = self.noisy(values, white, self.end.expand(len(part)))
            found.append(self.space.decode(self.clean(z, float(self.end), labels[part])))
        return torch.cat(found)

    def _check(self, setting: Setting) -> None:
        if setting.sampler not in self.samplers:
            raise InputError(
                f"Found the sampler {setting.sampler!r}, expected one of {self.samplers}."
            )
        if setting.temperature != 1:
            raise InputError(
                f"Found a temperature of {setting.temperature}, which codes have and real values "
                "do not: leave it at 1."
            )
