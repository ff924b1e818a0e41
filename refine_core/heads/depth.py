"""Draws that know each other: digits one after the other, by a small network behind the others.

    p(code | h) = prod_t p(c_t | c_<t, h)

The hidden states h of a scale are computed once; a causal network of a fraction of the
transformer's size then draws digit after digit. With `across="digits"` t goes over the digits of a
token, and tokens stay independent: the depth transformer of RQ-Transformer (Lee et al., 2022,
arXiv 2203.01941, section 3.2). With `across="tokens"` t goes over all digits of all tokens of the
scale, so that its draws are not independent at all. Either way the likelihood is exact, and
teacher forcing and stepwise sampling give the same probabilities.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self, cast, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refine_core.errors import InputError, check_choice
from refine_core.heads.categorical import CategoricalHead, CodeDistribution
from refine_core.heads.causal import CausalBlock
from refine_core.noise import Noise, Stream

Across = Literal["digits", "tokens"]
"""What is drawn one after the other: the digits of a token, or all digits of all tokens."""


class DepthHead(nn.Module):
    """A causal transformer over the digits of a scale.

    Args:
        dim: Width d of the hidden states.
        digits: Digits g of a code.
        sizes: Values of a digit, one count per scale.
        across: See `Across`.
        width: Width of the small network, a multiple of `heads`.
        depth: Its blocks.
        heads: Its attention heads.
        base: Whether its logits are added to those of an independent head, from which it starts:
            so a student goes on from the maps of its teacher (`refine_core.methods`).

    Raises:
        InputError: A number is out of its range, or `across` is unknown.
    """

    def __init__(
        self,
        dim: int,
        digits: int,
        sizes: Sequence[int],
        *,
        across: Across = "digits",
        width: int = 128,
        depth: int = 2,
        heads: int = 4,
        base: bool = False,
    ) -> None:
        super().__init__()
        _check(digits, sizes, across, width, heads)
        self.dim, self.digits, self.sizes, self.across = dim, digits, tuple(sizes), across
        self.enter = nn.Linear(dim, width)
        self.place = nn.Parameter(0.02 * torch.randn(len(sizes), digits, width))
        self.codes = nn.ModuleList(nn.Embedding(digits * size, width) for size in sizes)
        self.blocks = nn.ModuleList(CausalBlock(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.maps = nn.ModuleList(nn.Linear(width, digits * size) for size in sizes)
        for table in self.codes:
            nn.init.normal_(cast(nn.Embedding, table).weight, std=0.5)
        self.base = CategoricalHead(dim, digits, sizes) if base else None
        for chosen in self.maps if base else []:
            nn.init.zeros_(cast(nn.Linear, chosen).weight)
            nn.init.zeros_(cast(nn.Linear, chosen).bias)

    def forward(
        self, hidden: Tensor, state: object, k: int, valid: Tensor | None = None
    ) -> "SequentialDistribution":
        """Distribution of the codes of scale k from hidden states (b, n, d)."""
        return SequentialDistribution(self, k, hidden, valid)

    def logits(self, hidden: Tensor, code: Tensor, k: int, valid: Tensor | None) -> Tensor:
        """Logits (b, n, g, v) of each digit, given those before it in codes (b, n, g)."""
        rows, real = self._rows(hidden), self._padding(valid)
        code = code.reshape(len(rows), -1, self.digits)
        x = self._inputs(rows, k) + self._before(code, k, real)
        x = x.flatten(1, 2)
        mask = _causal(x.shape[1], real, self.digits, x.device)
        for block in self.blocks:
            x = block(x, mask)
        x = self.norm(x).unflatten(1, (-1, self.digits))
        weight, bias = self._output(k)
        logits = torch.einsum("bmgw,gvw->bmgv", x, weight.to(x.dtype)) + bias
        logits = logits.reshape(*hidden.shape[:2], self.digits, -1)
        return logits if self.base is None else logits + self.base(hidden, None, k).logits

    def start(self, hidden: Tensor, k: int, valid: Tensor | None) -> "Steps":
        """Logits digit after digit, for sampling."""
        rows, real = self._rows(hidden), self._padding(valid)
        base = None if self.base is None else self.base(rows, None, k).logits.flatten(1, 2)
        return Steps(self, k, self._inputs(rows, k), real, base)

    def _rows(self, tensor: Tensor) -> Tensor:
        """Tokens that are drawn one after the other, (rows, m, ...), of tensors (b, n, ...)."""
        return tensor if self.across == "tokens" else tensor.flatten(0, 1)[:, None]

    def _padding(self, valid: Tensor | None) -> Tensor | None:
        """Which tokens (rows, m) are real; None means all."""
        return None if valid is None or self.across == "digits" else valid

    def _inputs(self, rows: Tensor, k: int) -> Tensor:
        """What is known of each digit (rows, m, g, w) before any is drawn."""
        made: Tensor = self.enter(rows)[:, :, None] + self.place[k]
        return made

    def _before(self, code: Tensor, k: int, real: Tensor | None) -> Tensor:
        """Embedding (rows, m, g, w) of the digit before each of codes (rows, m, g)."""
        table = cast(nn.Embedding, self.codes[k])
        first = torch.arange(self.digits, device=code.device) * self.sizes[k]
        found: Tensor = table(code + first)
        if real is not None:
            found = torch.where(real[:, :, None, None], found, 0)
        flat = found.flatten(1, 2)
        return F.pad(flat[:, :-1], (0, 0, 1, 0)).reshape(found.shape)

    def _output(self, k: int) -> tuple[Tensor, Tensor]:
        """Weights (g, v, w) and biases (g, v) of the logits of scale k."""
        chosen = cast(nn.Linear, self.maps[k])
        weight, bias = chosen.weight, chosen.bias
        return weight.unflatten(0, (self.digits, -1)), bias.unflatten(0, (self.digits, -1))


class Steps:
    """Digits of one scale, one after the other, with the keys and values of those before.

    Args:
        head: The head.
        k: The scale.
        inputs: (rows, m, g, w) of `DepthHead`.
        real: (rows, m) bool, False at padding; None means all.
        base: (rows, m * g, v) logits that are added; None is none.
    """

    def __init__(
        self,
        head: DepthHead,
        k: int,
        inputs: Tensor,
        real: Tensor | None,
        base: Tensor | None = None,
    ) -> None:
        self.head, self.k, self.real, self.base = head, k, real, base
        self.inputs = inputs.flatten(1, 2)
        self.weight, self.bias = head._output(k)
        self.past: list[tuple[Tensor, Tensor] | None] = [None] * len(head.blocks)
        self.step = 0

    def __call__(self, before: Tensor | None) -> Tensor:
        """Logits (rows, v) of the next digit, given the one before it (rows,)."""
        digits, t = self.head.digits, self.step
        x = self.inputs[:, t]
        if before is not None:
            shift = (t - 1) % digits * self.head.sizes[self.k]
            found = self.head.codes[self.k](before + shift)
            x = x + (found if self.real is None else found * self.real[:, (t - 1) // digits, None])
        x, mask = x[:, None], None
        if self.real is not None:
            mask = self._mask(t)
        for number, block in enumerate(self.head.blocks):
            x, self.past[number] = cast(CausalBlock, block).step(x, self.past[number], mask)
        self.step += 1
        z = self.head.norm(x[:, 0])
        logits = F.linear(z, self.weight[t % digits], self.bias[t % digits])
        return logits if self.base is None else logits + self.base[:, t]

    def _mask(self, t: int) -> Tensor:
        """Additive mask (rows, 1, 1, t + 1): padding is seen by itself only."""
        assert self.real is not None
        seen = self.real.repeat_interleave(self.head.digits, 1)[:, : t + 1].clone()
        seen[:, t] = True
        return torch.zeros(seen.shape, device=seen.device).masked_fill(~seen, -torch.inf)[
            :, None, None
        ]


@dataclass(frozen=True)
class SequentialDistribution:
    """Digits drawn one after the other, of `DepthHead`.

    Args:
        head: The head.
        k: The scale.
        hidden: (b, n, d).
        valid: (b, n) bool, False at padding; None means all.
        away: Distributions to be guided away from, one after the other, and the weights.
        temperature: See `CodeDistribution.sharpened`, as for the next two; they act on each digit
            given those before it.
        top_k: The likeliest values that are kept.
        top_p: The mass that is kept.
    """

    head: DepthHead
    k: int
    hidden: Tensor
    valid: Tensor | None = None
    away: tuple[tuple["SequentialDistribution", float], ...] = ()
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0

    def given(self, code: Tensor) -> CodeDistribution:
        """Distribution of each digit given those before it in codes (b, n, g)."""
        return self._sharp(CodeDistribution(self._logits(code), self.valid))

    def token_log_prob(self, code: Tensor) -> Tensor:
        """Log-probability (b, n) of each token's code (b, n, g) given those drawn before it."""
        return self.given(code).token_log_prob(code)

    def log_prob(self, code: Tensor) -> Tensor:
        """Log-probability (b,) of codes (b, n, g), in nats."""
        return self.token_log_prob(code).sum(1)

    def sample(self, noise: Noise) -> Tensor:
        """Codes (b, n, g)."""
        count, digits = self.hidden.shape[1], self.head.digits
        uniform = noise.uniform(Stream.CODES, count, digits)
        if self.head.across == "digits":
            uniform = uniform.flatten(0, 1)
        uniform = uniform.flatten(1)
        steps, drawn = self._steps(), list[Tensor]()
        for t in range(uniform.shape[1]):
            dist = self._sharp(CodeDistribution(steps(drawn[-1] if drawn else None)))
            drawn.append(dist.inverse(uniform[:, t, None, None])[:, 0, 0])
        return torch.stack(drawn, 1).reshape(-1, count, digits)

    def guided(self, unconditional: Self, weight: float) -> Self:
        """Classifier-free guidance on the logits of each digit, see `CodeDistribution.guided`."""
        return replace(self, away=(*self.away, (unconditional, weight))) if weight else self

    def sharpened(
        self, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0
    ) -> Self:
        """More likely values only, at each digit."""
        return replace(self, temperature=temperature, top_k=top_k, top_p=top_p)

    def _logits(self, code: Tensor) -> Tensor:
        """Guided logits (b, n, g, v) of each digit given those before it in codes (b, n, g)."""
        own = self.head.logits(self.hidden, code, self.k, self.valid)
        return self._guided(own, [other._logits(code) for other, _ in self.away])

    def _steps(self) -> Callable[[Tensor | None], Tensor]:
        """Guided logits (rows, 1, 1, v) of one digit after the other, given the one before."""
        own = self.head.start(self.hidden, self.k, self.valid)
        others = [other._steps() for other, _ in self.away]
        return lambda before: self._guided(
            own(before)[:, None, None], [steps(before) for steps in others]
        )

    def _guided(self, logits: Tensor, others: Sequence[Tensor]) -> Tensor:
        dist = CodeDistribution(logits)
        for other, (_, weight) in zip(others, self.away, strict=True):
            dist = dist.guided(CodeDistribution(other), weight)
        return dist.logits

    def _sharp(self, dist: CodeDistribution) -> CodeDistribution:
        if (self.temperature, self.top_k, self.top_p) == (1.0, None, 1.0):
            return dist
        return dist.sharpened(self.temperature, self.top_k, self.top_p)


def _causal(steps: int, real: Tensor | None, digits: int, device: torch.device) -> Tensor:
    """Additive mask (1 or rows, 1, steps, steps): each step sees itself and those before."""
    seen = torch.ones(steps, steps, dtype=torch.bool, device=device).tril()[None, None]
    if real is not None:
        itself = torch.eye(steps, dtype=torch.bool, device=device)
        seen = (seen & real.repeat_interleave(digits, 1)[:, None, None]) | itself
    return torch.zeros(seen.shape, device=device).masked_fill(~seen, -torch.inf)


def _check(digits: int, sizes: Sequence[int], across: str, width: int, heads: int) -> None:
    """Refuse numbers out of range."""
    if digits < 1 or min(sizes, default=0) < 2:
        raise InputError(
            f"A head needs digits of 2 values or more, found {digits} of {list(sizes)} values."
        )
    check_choice("across", across, get_args(Across))
    if width % heads:
        raise InputError(
            f"A width of {width} does not divide into {heads} heads: choose a multiple."
        )
