"""Draws that know each other through a component that they share: a mixture of independent digits.

    p(code | h) = sum_m pi_m(h) prod_t p_m(c_t | h)

The logits of component m are those of an independent head plus a low-rank term,
`W h + B (a_m * (A h + b_m))`, so that a component costs r numbers a token and digit value, not a
map of its own. With `across="digits"` each token has its component; with `across="tokens"` the
whole scale of a sample has one, which is then a latent that its tokens share. The likelihood is
exact, the sum over components.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refine_core.errors import InputError, check_choice
from refine_core.heads.categorical import CategoricalHead, CodeDistribution
from refine_core.heads.depth import Across
from refine_core.noise import Noise, Stream


class MixtureHead(nn.Module):
    """A mixture of independent heads.

    Args:
        dim: Width d of the hidden states.
        digits: Digits g of a code.
        sizes: Values of a digit, one count per scale.
        components: Count M of components.
        across: Whether a component is drawn for each token ("digits") or for a sample ("tokens").
        rank: Rank r of what distinguishes components.
        maps: See `CategoricalHead`.

    Raises:
        InputError: A number is out of its range, see `CategoricalHead` too.
    """

    def __init__(
        self,
        dim: int,
        digits: int,
        sizes: Sequence[int],
        *,
        components: int = 8,
        across: Across = "digits",
        rank: int = 32,
        maps: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if components < 1 or rank < 1:
            raise InputError(
                f"Found {components} components of rank {rank}, expected one or more of each."
            )
        check_choice("across", across, get_args(Across))
        self.base = CategoricalHead(dim, digits, sizes, maps)
        self.dim, self.digits, self.sizes = dim, digits, self.base.sizes
        self.across, self.components = across, components
        scales = range(len(sizes))
        self.inner = nn.ModuleList(nn.Linear(dim, rank, bias=False) for _ in scales)
        self.offset = nn.Parameter(torch.randn(len(sizes), components, rank))
        self.gain = nn.Parameter(1 + 0.5 * torch.randn(len(sizes), components, rank))
        self.outer = nn.ModuleList(nn.Linear(rank, digits * size, bias=False) for size in sizes)
        self.choose = nn.ModuleList(nn.Linear(dim, components) for _ in scales)

    def forward(
        self, hidden: Tensor, state: object, k: int, valid: Tensor | None = None
    ) -> "MixtureDistribution":
        """Distribution of the codes of scale k from hidden states (b, n, d)."""
        inner = self.inner[k](hidden)[:, :, None] + self.offset[k]
        extra = self.outer[k](torch.tanh(inner) * self.gain[k]).unflatten(3, (self.digits, -1))
        logits = self.base(hidden, state, k).logits[:, :, None] + extra
        chosen = self.choose[k](hidden if self.across == "digits" else _mean(hidden, valid))
        return MixtureDistribution(chosen.log_softmax(-1), logits, valid)


@dataclass(frozen=True)
class MixtureDistribution:
    """A mixture of independent digits, of each token or of all tokens of a sample.

    Args:
        weights: (b, n, M) or (b, 1, M) log-probabilities of the components.
        logits: (b, n, M, g, v) of the digits under each component.
        valid: (b, n) bool, False at padding; None means all.
    """

    weights: Tensor
    logits: Tensor
    valid: Tensor | None = None

    @property
    def shared(self) -> bool:
        """Whether all tokens of a sample have one component (the same for a single token)."""
        return self.weights.shape[1] == 1

    def token_log_prob(self, code: Tensor) -> Tensor:
        """Log-probability (b, n) of each token's code (b, n, g); zero at padding.

        Where tokens share a component it is that given the tokens before it, so that the sum over
        tokens is that of the sample.
        """
        each = self._given(code)
        if not self.shared:
            tokens = torch.logsumexp(self.weights + each, -1)
            return tokens if self.valid is None else torch.where(self.valid, tokens, 0)
        if self.valid is not None:
            each = torch.where(self.valid[..., None], each, 0)
        joint = torch.logsumexp(self.weights + each.cumsum(1), -1)
        return torch.diff(joint, dim=1, prepend=torch.zeros_like(joint[:, :1]))

    def log_prob(self, code: Tensor) -> Tensor:
        """Log-probability (b,) of codes (b, n, g), in nats."""
        return self.token_log_prob(code).sum(1)

    def sample(self, noise: Noise) -> Tensor:
        """Codes (b, n, g): the components first, then the digits."""
        uniform = noise.fork(Stream.CODES).uniform(Stream.CODES, self.weights.shape[1], 1)
        chosen = CodeDistribution(self.weights[:, :, None]).inverse(uniform)
        index = chosen[..., None, None].expand(-1, self.logits.shape[1], 1, *self.logits.shape[3:])
        return CodeDistribution(self.logits.gather(2, index)[:, :, 0]).sample(noise)

    def guided(self, unconditional: Self, weight: float) -> Self:
        """Classifier-free guidance on components and, under each, on digits."""
        if not weight:
            return self
        pairs = (self.weights, unconditional.weights), (self.logits, unconditional.logits)
        weights, logits = (
            CodeDistribution(a).guided(CodeDistribution(b), weight).logits for a, b in pairs
        )
        return replace(self, weights=weights.log_softmax(-1), logits=logits)

    def sharpened(
        self, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0
    ) -> Self:
        """More likely values only, of each digit under its component; components stay."""
        shape = self.logits.shape
        flat = CodeDistribution(self.logits.flatten(1, 2))
        return replace(
            self, logits=flat.sharpened(temperature, top_k, top_p).logits.reshape(shape)
        )

    def _given(self, code: Tensor) -> Tensor:
        """Log-probability (b, n, M) of each token's code under each component."""
        target = code[:, :, None].expand(self.logits.shape[:-1])
        digits = -F.cross_entropy(self.logits.flatten(0, 3), target.flatten(), reduction="none")
        return digits.reshape(target.shape).sum(3)


def _mean(hidden: Tensor, valid: Tensor | None) -> Tensor:
    """Mean (b, 1, d) over the tokens that are no padding."""
    if valid is None:
        return hidden.mean(1, keepdim=True)
    real = valid[..., None].to(hidden.dtype)
    return (hidden * real).sum(1, keepdim=True) / real.sum(1, keepdim=True).clamp(min=1)
