"""Real-valued codes: mixtures of diagonal Gaussians, of which one is the simplest case.

    p(c) = sum_m pi_m prod_i N(c_i; mu_mi, sigma_mi^2)

for each token's code c of g channels. The channels of a token are coupled by the component that
they share, as in GIVT (arXiv 2312.02116, section 3.2); tokens are independent, as in other heads.
"""

import math
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor, nn

from refine_core.device import full_precision
from refine_core.errors import InputError
from refine_core.heads.categorical import CodeDistribution, heaviest
from refine_core.noise import Noise, Stream

_LOG_ROOT = 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True)
class GaussianMixture:
    """A mixture of m diagonal Gaussians for the real-valued code of each of n tokens.

    Args:
        logits: (b, n, m), unnormalised log-weights of the components.
        mean: (b, n, m, g).
        log_scale: (b, n, m, g), logarithms of standard deviations; -inf is a point, which is
            sampled but has no density.
        valid: (b, n) bool, False at padding; None means all.
    """

    logits: Tensor
    mean: Tensor
    log_scale: Tensor
    valid: Tensor | None = None

    def token_log_prob(self, code: Tensor) -> Tensor:
        """Log-density (b, n) of each token's code (b, n, g); zero at padding."""
        scaled = (code[:, :, None] - self.mean) * (-self.log_scale).exp()
        each = -(scaled.square() / 2 + self.log_scale + _LOG_ROOT).sum(3)
        tokens = torch.logsumexp(self.logits.log_softmax(2) + each, 2)
        return tokens if self.valid is None else torch.where(self.valid, tokens, 0)

    def log_prob(self, code: Tensor) -> Tensor:
        """Log-density (b,) of codes (b, n, g), in nats."""
        return self.token_log_prob(code).sum(1)

    def sample(self, noise: Noise) -> Tensor:
        """Codes (b, n, g)."""
        _, n, components, channels = self.mean.shape
        chosen = self._component(noise.uniform(Stream.COMPONENT, n)) if components > 1 else None
        normal = noise.normal(Stream.CODES, n, channels)
        return _of(self.mean, chosen) + _of(self.log_scale, chosen).exp() * normal

    def expected(self) -> Tensor:
        """Mean (b, n, g) of each token's code."""
        return (self.logits.softmax(2)[..., None] * self.mean).sum(2)

    def denoised(self, sigma: float) -> Self:
        """The law of codes that, with N(0, sigma^2) added to each channel, have this one.

        Variances are less by sigma^2; a component that is narrower than the noise is a point.
        """
        rest = -torch.expm1(2 * (math.log(sigma) - self.log_scale))  # 1 - sigma^2 / scale^2
        return replace(self, log_scale=self.log_scale + rest.clamp(min=0).log() / 2)

    def guided(self, unconditional: Self, weight: float) -> Self:
        """Classifier-free guidance: p^(1 + w) / q^w of each component; weight 0 changes nothing.

        A component is paired with the unconditional component of the same number, as in GIVT's
        sampler. There p^(1 + w) / q^w is sampled by rejection; for Gaussians it is one again:

            1 / s^2 = (1 + w) / s_p^2 - w / s_q^2,   m / s^2 = (1 + w) m_p / s_p^2 - w m_q / s_q^2

        It cannot be normalised where q is much narrower than p. So for w > 0 the scale of q is
        taken to be that of p at least: where it is that of p, the mean is (1 + w) m_p - w m_q, and
        no scale grows. The weights of components are guided as logits of codes are.
        """
        wide = unconditional.log_scale
        if weight > 0:
            wide = torch.maximum(wide, self.log_scale)
        share = weight * (2 * (self.log_scale - wide)).exp()
        precision = 1 + weight - share  # in units of p's
        mean = ((1 + weight) * self.mean - share * unconditional.mean) / precision
        given, free = (x.logits.log_softmax(2) for x in (self, unconditional))
        return replace(
            self,
            logits=CodeDistribution(given).guided(CodeDistribution(free), weight).logits,
            mean=mean,
            log_scale=self.log_scale - precision.log() / 2,
        )

    def sharpened(
        self, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0
    ) -> Self:
        """Temperature, then the `top_k` heaviest components, then the heaviest of weight `top_p`.

        The temperature multiplies standard deviations and divides the log-weights, both of which
        GIVT has as fields of their own; at 0 the mean of the heaviest component is left. Limits
        choose among components, so they leave a single Gaussian as it is.
        """
        keep = heaviest(self.logits / max(temperature, 1e-6), top_k, top_p)
        if temperature == 0:
            keep = torch.zeros_like(keep).scatter_(2, self.logits.argmax(2, keepdim=True), True)
        logits = (self.logits / (temperature or 1.0)).masked_fill(~keep, -torch.inf)
        shift = math.log(temperature) if temperature else -math.inf
        return replace(self, logits=logits, log_scale=self.log_scale + shift)

    def _component(self, uniform: Tensor) -> Tensor:
        """Component (b, n) of each token: the inverse distribution function at `uniform`."""
        return CodeDistribution(self.logits[:, :, None]).inverse(uniform[..., None])[..., 0]


class GaussianMixtureHead(nn.Module):
    """A mixture of Gaussians for each token, from a linear map of its own for each scale.

    Maps and densities are of float32 even under autocast: half precision would move means by more
    than a narrow component's scale.

    Args:
        dim: Width of the hidden states.
        channels: Channels g of a code.
        scales: Count of scales.
        components: Components m of a token's mixture.
        mean: (scales, channels), about where codes lie; the map predicts the difference.
        spread: (scales, channels), about how far they spread: the unit of the map's outputs.
        floor: Least standard deviation, in units of `spread`.

    Raises:
        InputError: A count is not positive, or `floor`, or a spread.
    """

    def __init__(
        self,
        dim: int,
        channels: int,
        scales: int,
        components: int,
        *,
        mean: Tensor | None = None,
        spread: Tensor | None = None,
        floor: float = 1e-4,
    ) -> None:
        super().__init__()
        if min(channels, scales, components) < 1 or floor <= 0:
            raise InputError(
                f"A head of Gaussians needs channels, scales, components and a floor above 0, "
                f"found {channels}, {scales}, {components} and {floor}."
            )
        self.dim, self.digits, self.components = dim, channels, components
        self.sizes = (0,) * scales  # values of a digit: real numbers have no count
        self.log_floor = math.log(floor)
        shape = (scales, channels)
        self.register_buffer("mean", torch.zeros(shape) if mean is None else mean.clone())
        self.register_buffer("spread", torch.ones(shape) if spread is None else spread.clone())
        if not bool((self.get_buffer("spread") > 0).all()):
            raise InputError("A spread of codes is zero or less, expected more: drop the channel.")
        self.maps = nn.ModuleList(
            nn.Linear(dim, components * (1 + 2 * channels)) for _ in range(scales)
        )

    def forward(
        self, hidden: Tensor, state: object, k: int, valid: Tensor | None = None
    ) -> GaussianMixture:
        """Distribution of the codes of scale k from hidden states (b, n, d)."""
        with full_precision(hidden.device):
            out = self.maps[k](hidden.float()).unflatten(2, (self.components, -1))
            logits, mean, log_scale = out.split((1, self.digits, self.digits), 3)
            spread = self.get_buffer("spread")[k]
            # Smooth from below: a hard floor has no gradient.
            floor = torch.full_like(log_scale, self.log_floor)
            return GaussianMixture(
                logits[..., 0],
                self.get_buffer("mean")[k] + spread * mean,
                torch.logaddexp(log_scale, floor) + spread.log(),
                valid,
            )


def _of(values: Tensor, component: Tensor | None) -> Tensor:
    """Values (b, n, g) of one component (b, n) of each token, out of (b, n, m, g)."""
    if component is None:
        return values[:, :, 0]
    index = component[:, :, None, None].expand(-1, -1, 1, values.shape[3])
    return values.gather(2, index)[:, :, 0]
