"""Bits per dimension: what models of codes and of real values say of images of 256 grey levels.

A model of deterministic codes c(x), with a likelihood P(x | c) of grey levels, has the bound

    log P(x) = log sum_c p(c) P(x | c) >= log p(c(x)) + log P(x | c(x)),

a true bound whatever the encoder does, as the sum has no negative term. With random codes of a
density q(c | x) it is that of a variational autoencoder (arXiv 1312.6114),

    log P(x) >= E_q [ log p(c) - log q(c | x) + log P(x | c) ].

A density p over real values is one over grey levels through uniform dequantisation (Theis et al.,
2016, arXiv 1511.01844): log P(v) >= E_u log p(v + u), u uniform in [0, 1), for grey levels v.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refine_core.errors import InputError
from refine_core.noise import Noise

LEVELS = 256
"""Grey levels of a pixel."""
UNIFORM = 0
"""Stream of the numbers that dequantise."""
_BEYOND = 1e4  # in grey levels: as good as infinity, with a gradient


class DecoderLikelihood(nn.Module):
    """P(x | decoded): independent pixels, each a mixture that is told the decoded image about it.

    The parts of a pixel's mixture are discretised logistics about the decoded value (PixelCNN++,
    Salimans et al., 2017, arXiv 1701.05517), whose first and last level take their tails; atoms at
    the levels 0 and 255; and a uniform part. Weights, shifts and scales are the outputs of two
    convolutions on the decoded image. It is fitted by maximum likelihood, so that it is calibrated
    for the errors of the decoder at hand.

    Args:
        components: Logistics of a pixel.
        width: Channels of the convolutions.
        channels: Channels of images.
    """

    PARTS_BESIDE = 3

    def __init__(self, components: int = 3, width: int = 16, channels: int = 1) -> None:
        super().__init__()
        self.components, self.channels = components, channels
        outputs = channels * (3 * components + self.PARTS_BESIDE)
        self.network = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(width, outputs, 1),
        )
        last = self.network[-1]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        nn.init.zeros_(last.weight)
        with torch.no_grad():
            # The parts beside the logistics start small; the logistics differ in their scales.
            first = torch.cat(
                [
                    torch.zeros(components),
                    torch.tensor([-2.0, -2.0, -6.0]),
                    torch.zeros(components),
                    torch.linspace(0.5, 3.0, components),
                ]
            )
            last.bias.copy_(first.repeat(channels))
        self.requires_grad_(False)

    def fit(
        self,
        means: Tensor,
        images: Tensor,
        *,
        steps: int = 400,
        batch: int = 32,
        learning_rate: float = 2e-2,
        seed: int = 0,
    ) -> None:
        """Maximise the likelihood of images by Adam, with a cosine of rates.

        Args:
            means: Decoded images (n, c, h, w) in [0, 1], each from its image's own codes.
            images: (n, c, h, w) of 256 grey levels, in [0, 1].
            steps: Steps of the optimiser.
            batch: Images a step.
            learning_rate: Of the first step.
            seed: Of the order of images.
        """
        generator = torch.Generator().manual_seed(seed)
        parameters = list(self.network.parameters())
        means = means.detach()
        with torch.enable_grad():
            self.requires_grad_(True)
            optimizer = torch.optim.Adam(parameters, learning_rate)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
            for _ in range(steps):
                at = torch.randint(len(images), (batch,), generator=generator).to(means.device)
                optimizer.zero_grad()
                loss = -self.pixel_log_prob(means[at], images[at]).mean()
                loss.backward()
                optimizer.step()
                schedule.step()
        self.requires_grad_(False)

    def log_prob(self, means: Tensor, images: Tensor) -> Tensor:
        """Log-probability (b,) float64, in nats, of images given decoded ones."""
        return self.pixel_log_prob(means, images).double().flatten(1).sum(1)

    def pixel_log_prob(self, means: Tensor, images: Tensor) -> Tensor:
        """Log-probability (b, c, h, w) of each pixel; over the 256 levels they sum to one.

        Args:
            means: Decoded images (b, c, h, w).
            images: (b, c, h, w) of 256 grey levels, in [0, 1].
        """
        means, level = means.float(), grey(images)
        out: Tensor = self.network(2 * means - 1)
        out = out.unflatten(1, (self.channels, -1)).movedim(2, -1)
        k = self.components
        weights, shift, log_scale = out.split((k + self.PARTS_BESIDE, k, k), -1)
        centre = (LEVELS - 1) * means[..., None] + shift * 8
        parts = [
            log_logistic_mass(level[..., None], centre, log_scale.clamp(-4, 5)),
            _log_of(level == 0)[..., None],
            _log_of(level == LEVELS - 1)[..., None],
            torch.full_like(means, -math.log(LEVELS))[..., None],
        ]
        return torch.logsumexp(weights.log_softmax(-1) + torch.cat(parts, -1), -1)


def log_logistic_mass(level: Tensor, centre: Tensor, log_scale: Tensor) -> Tensor:
    """Log-mass of grey levels 0 to 255 under a logistic law, whose tails belong to both ends.

    log(S(b) - S(a)) for the edges a < b of a level, on the side of the centre where both sigmoids
    are small, so that it is exact far from the centre.
    """
    below = torch.where(level <= 0, -_BEYOND, level - 0.5) - centre
    above = torch.where(level >= LEVELS - 1, _BEYOND, level + 0.5) - centre
    flip = below + above > 0
    low, high = torch.where(flip, -above, below), torch.where(flip, -below, above)
    scale = log_scale.exp()
    log_high = F.logsigmoid(high / scale)
    difference = F.logsigmoid(low / scale) - log_high
    return log_high + torch.log(-torch.expm1(difference))


def grey(images: Tensor) -> Tensor:
    """Grey levels 0 to 255, as float32, of images in [0, 1].

    Raises:
        InputError: A value is not one of 256 levels.
    """
    levels = 255 * images.float()
    rounded = levels.round()
    if float((levels - rounded).abs().max()) > 0.01 or not 0 <= float(rounded.min()) <= 255:
        raise InputError(
            "Bits are of images of 256 grey levels, found values between k / 255: give images "
            "as they were stored."
        )
    return rounded


def dequantised(images: Tensor, noise: Noise | None) -> Tensor:
    """Uniformly dequantised images, in [-1, 1): (v + u) / 128 - 1 of grey levels v.

    Without noise, u is a half. The density of v + u is that of these values over 128 a pixel.
    """
    levels = grey(images)
    u = 0.5 if noise is None else noise.uniform(UNIFORM, *images.shape[1:])
    return (levels + u) / (LEVELS / 2) - 1


def per_dim(log_prob: Tensor, images: Tensor) -> Tensor:
    """Bits per dimension (b,) float64 of log-probabilities (b,) in nats of images (b, c, h, w)."""
    return -log_prob.double() / (images[0].numel() * math.log(2))


def _log_of(where: Tensor) -> Tensor:
    """0 where true, and as good as -inf elsewhere."""
    return torch.where(where, 0.0, -_BEYOND)
