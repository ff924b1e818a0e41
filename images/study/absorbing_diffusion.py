"""Absorbing (masked) diffusion of the codes of one scale, and MaskGIT's sampler of it.

The forward process masks the digits of an image in random order, one after the other; the network
predicts those that are masked from those that are not. A training sample has m of N digits
masked, each number m from 1 to N as likely, and its loss is the mean negative log-probability of
the masked. N times its expectation is the bound of the process

    -log P(codes) <= E_{order} [ sum over m of -log p(m-th last digit | those before it) ],

that of order-agnostic autoregression (Hoogeboom et al., 2022, arXiv 2110.02037) and, in continuous
time, of masked diffusion (MDLM, arXiv 2406.07524; the mask's schedule does not matter to it).

Sampling goes back in T calls. Digits that are revealed in one call are independent given what was
there before; with N calls, sampling at random is exact. "random" reveals digits in random order,
"confidence" those first whose drawn value is the most probable, up to Gumbel noise that fades
(MaskGIT, Chang et al., 2022, arXiv 2202.04200). One call is a model of independent codes.
"""

import math
from collections.abc import Iterator
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from images.study.backbone import Backbone, TransformerShape, matched
from images.study.likelihood import DecoderLikelihood, per_dim
from images.study.model import Bits, Setting, StudyModel
from images.study.spaces import CodeSpace
from refine_core.errors import InputError
from refine_core.heads.categorical import CodeDistribution
from refine_core.noise import Noise, Stream

COUNT, ORDER, GUMBEL = 0, 1, 2
"""Streams: how many digits are masked, which, and the noise of confidences."""


class AbsorbingDiffusion(StudyModel):
    """Masked diffusion of codes.

    Args:
        space: The codes.
        backbone: From `space.digits * channels` to `space.digits * space.values` channels.
        channels: Channels of a digit's embedding.
        dropout: Share of training samples whose class is dropped, for guidance.
        draws: Calls of the network that the bound of an image is estimated with.
    """

    samplers = ("confidence", "random")

    def __init__(
        self,
        space: CodeSpace,
        backbone: Backbone,
        *,
        channels: int = 32,
        dropout: float = 0.1,
        draws: int = 20,
    ) -> None:
        super().__init__()
        self.space = space.requires_grad_(False)
        self.backbone = backbone
        self.embed = nn.ModuleList(
            nn.Embedding(space.values + 1, channels) for _ in range(space.digits)
        )
        self.tokens = math.prod(space.size)
        self.dropout, self.draws = dropout, draws
        self.decoder_likelihood = DecoderLikelihood()

    @classmethod
    def build(
        cls,
        space: CodeSpace,
        shape: TransformerShape,
        classes: int,
        parameters: int,
        *,
        channels: int = 32,
        dropout: float = 0.1,
    ) -> Self:
        """The arm with about that many trained parameters.

        Raises:
            InputError: See `images.study.backbone.matched`.
        """
        inputs, outputs = space.digits * channels, space.digits * space.values
        return matched(
            lambda mlp: cls(
                space,
                Backbone(shape, space.size, inputs, outputs, classes, mlp),
                channels=channels,
                dropout=dropout,
            ),
            parameters,
            shape.dim,
        )

    def settings(self) -> list[Setting]:
        """Both samplers, at 1 call to one for each digit, or 100."""
        most = min(self.space.variables, 100)
        counts = [calls for calls in (2, 4, 6, 8, 10, 16, 32) if calls < most]
        both = [Setting(calls, name) for calls in [*counts, most] for name in self.samplers]
        return [Setting(1, "random"), *both]

    def forward(self, batch: tuple[Tensor, Tensor], noise: Noise) -> dict[str, Tensor]:
        """Mean negative log-probability of a masked digit: the bound in nats a digit."""
        images, labels = batch
        dropped = noise.uniform(Stream.CONTEXT_DROPOUT) < self.dropout
        labels = torch.where(dropped, -1, labels)
        share = noise.uniform(COUNT)
        loss = self._masked_loss(self.space.encode(images), labels, share, noise).mean()
        return {"loss": loss, "bits": loss.detach() * self.space.variables / math.log(2)}

    def logits(self, codes: Tensor, masked: Tensor, labels: Tensor, guidance: float) -> Tensor:
        """Logits (b, n, g, v) of all digits given those of codes (b, n, g) that are not masked.

        Guidance acts on log-probabilities, as `CodeDistribution.guided` does.
        """
        shown = torch.where(masked, self.space.values, codes)
        digits = [embed(shown[..., g]) for g, embed in enumerate(self.embed)]
        grid = torch.cat(digits, 2).transpose(1, 2).unflatten(2, self.space.size)
        share = masked.flatten(1).float().mean(1)
        out: Tensor = self.backbone.guided(grid, share, labels, guidance)
        logits: Tensor = out.flatten(2).transpose(1, 2).unflatten(2, (self.space.digits, -1))
        return logits

    @torch.no_grad()
    def sample(self, noise: Noise, labels: Tensor, setting: Setting) -> Tensor:
        """Images (b, 1, H, W) in [0, 1]."""
        *_, last = self._guesses(noise, labels, setting)
        return self.space.decode(last)

    @torch.no_grad()
    def states(self, noise: Noise, labels: Tensor, setting: Setting) -> list[Tensor]:
        """Images of the digits revealed so far and of what each call drew for the others."""
        return [self.space.decode(each) for each in self._guesses(noise, labels, setting)]

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
        """Images of digits of which as many are the images' own as `step` calls reveal.

        Others are drawn.
        """
        codes = self.space.encode(images)
        left = [self.space.variables, *self._left(setting)][step]
        order = forward.uniform(ORDER, self.space.variables).argsort(1).argsort(1)
        masked = (order < left).view_as(codes)
        *_, last = [codes, *self._guesses(noise, labels, setting, (step, codes, masked))]
        return self.space.decode(last)

    def _guesses(
        self,
        noise: Noise,
        labels: Tensor,
        setting: Setting,
        begin: tuple[int, Tensor, Tensor] | None = None,
    ) -> Iterator[Tensor]:
        """Codes (b, n, g) after each call, drawn anew where they were masked before it.

        `begin` is the first call, with the codes before it and which of them are masked.
        """
        left = self._left(setting)
        shape = (math.prod(self.space.size), self.space.digits)
        if begin is None:
            codes = torch.zeros(len(noise), *shape, dtype=torch.int64, device=noise.index.device)
            begin = (0, codes, torch.ones_like(codes, dtype=torch.bool))
        first, codes, masked = begin
        order = noise.uniform(ORDER, *shape)
        for call, count in list(enumerate(left))[first:]:
            logits = self.logits(codes, masked, labels, setting.guidance)
            dist = CodeDistribution(logits).sharpened(setting.temperature)
            fresh = noise.fork(call)
            codes = torch.where(masked, dist.sample(fresh), codes)
            yield codes
            if setting.sampler == "confidence":
                fading = setting.choice_temperature * (1 - (call + 1) / len(left))
                order = _confidence(dist, codes, fading, fresh)
            keep = torch.where(masked, order, torch.inf).flatten(1)
            masked = torch.zeros_like(keep, dtype=torch.bool).scatter(
                1, keep.argsort(1)[:, :count], True
            )
            masked = masked.unflatten(1, shape)

    def _left(self, setting: Setting) -> list[int]:
        """Count of digits that are masked after each call: a cosine, falling by one at least.

        Raises:
            InputError: There are more calls than digits, or the sampler is unknown.
        """
        count, calls = self.space.variables, setting.calls
        if setting.sampler not in self.samplers:
            raise InputError(
                f"Found the sampler {setting.sampler!r}, expected one of {self.samplers}."
            )
        if calls > count:
            raise InputError(
                f"Found {calls} calls for {count} digits, of which each call reveals one or more: "
                f"give {count} calls at most."
            )
        left = [count]
        for call in range(1, calls + 1):
            shown = math.floor(count * math.cos(math.pi / 2 * call / calls))
            left.append(max(min(left[-1] - 1, shown), calls - call))
        return left[1:]

    @torch.no_grad()
    def calibrate(self, images: Tensor, labels: Tensor, noise: Noise) -> None:
        """Fit the likelihood of images about those that their codes decode to."""
        decoded = [self.space.decode(self.space.encode(part)) for part in images.split(500)]
        self.decoder_likelihood.fit(torch.cat(decoded), images)

    @torch.no_grad()
    def bits(self, images: Tensor, labels: Tensor, noise: Noise) -> Bits:
        """Bits of the codes, by their bound, and of the images given them.

        log P(image) >= log P(codes) + log P(image | codes) for the codes that the image has. The
        bound is estimated at `draws` stratified numbers of masked digits.
        """
        codes = self.space.encode(images)
        offset = noise.uniform(COUNT, self.draws)
        terms = [
            self._masked_loss(
                codes, labels, (draw + offset[:, draw]) / self.draws, noise.fork(draw)
            )
            for draw in range(self.draws)
        ]
        nats = torch.stack(terms).double().mean(0) * self.space.variables
        rest = self.decoder_likelihood.log_prob(self.space.decode(codes), images)
        return Bits(per_dim(rest - nats, images), "bound")

    def _masked_loss(self, codes: Tensor, labels: Tensor, share: Tensor, noise: Noise) -> Tensor:
        """Mean negative log-probability (b,) of 1 + floor(share * N) digits, masked at random."""
        order = noise.uniform(ORDER, self.space.variables)
        count = 1 + (share * self.space.variables).floor().long()
        masked = (order.argsort(1).argsort(1) < count[:, None]).view_as(codes)
        logits = self.logits(codes, masked, labels, 0.0)
        nats = F.cross_entropy(logits.flatten(0, 2), codes.flatten(), reduction="none")
        return (nats.view_as(codes) * masked).flatten(1).sum(1) / count


def _confidence(dist: CodeDistribution, codes: Tensor, fading: float, noise: Noise) -> Tensor:
    """Log-probability (b, n, g) of each drawn digit, with Gumbel noise of a temperature."""
    chance = dist.logits.log_softmax(-1).gather(-1, codes[..., None])[..., 0]
    uniform = noise.uniform(GUMBEL, *codes.shape[1:]).clamp(min=1e-9)
    return chance - fading * (-uniform.log()).log()
