"""Rectified flow between scales: real-valued codes from noise, by a small velocity field.

A scale's code c of a token with hidden state h is transported from Gaussian noise along straight
lines (flow matching, Lipman et al., 2023, arXiv 2210.02747; rectified flow, arXiv 2209.03003):

    x_t = (1 - t) e + t c,   e ~ N(m_k, s_k^2),   loss = E |v(x_t, t, h, k) - (c - e)|^2 / s_k^2
    sampling: dx / dt = v(x, t, h, k) from x_0 = e at t = 0 to t = 1

The transformer is called once a scale; the steps of the solver call the velocity field alone, as
the diffusion head of MAR does (Li et al., 2024, arXiv 2406.11838). FlowAR (arXiv 2412.15205) has
one such flow a scale, conditioned on the expanded coarser scale. Codes of a residual tokeniser are
differences to that scale's value u, and straight lines from e to c are those from u + e to u + c:
the flow of residuals from noise is the flow that starts at the expanded coarser value.

The log-density of the exact flow follows from the change of variables with the exact trace,

    log p(c) = log N(x_0; m_k, s_k^2) - int_0^1 tr dv / dx dt,

integrated backwards from x_1 = c. It costs g + 1 passes through the field at each evaluation, for
codes of g numbers, so it is for small g. It is neither a bound nor the density of samples of a few
steps, which approach the exact flow as steps grow.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Self, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refine_core.errors import InputError, check_choice
from refine_core.noise import Noise, Stream
from refine_core.training.muon import linear_weights

Solver = Literal["euler", "heun"]
Field = Callable[[Tensor, float], Tensor]
"""Velocity (..., g) at points (..., g) and a time."""
_LOG_ROOT = 0.5 * math.log(2 * math.pi)
_RUNGE_KUTTA = 32
_FREQUENCIES = 8


class FlowHead(nn.Module):
    """Velocity field behind the transformer, one for all scales.

    Args:
        dim: Width d of the hidden states.
        channels: Channels g of a code.
        scales: Count of scales.
        width: Width of the field's network.
        depth: Its residual blocks.
        steps: Steps of the solver when sampling.
        solver: 'euler' evaluates the field once a step, 'heun' twice, at second order.
        mean: (scales, channels) m_k, about where codes lie; zero by default.
        spread: (scales, channels) s_k, about how far they spread; one by default.
        repeats: Pairs of noise and time that each token's loss is the mean over.

    Raises:
        InputError: A number is out of its range, or the solver is unknown.
    """

    def __init__(
        self,
        dim: int,
        channels: int,
        scales: int,
        *,
        width: int = 128,
        depth: int = 2,
        steps: int = 8,
        solver: Solver = "heun",
        mean: Tensor | None = None,
        spread: Tensor | None = None,
        repeats: int = 4,
    ) -> None:
        super().__init__()
        counts = {"channels": channels, "width": width, "steps": steps, "repeats": repeats}
        _check(counts, solver)
        self.dim, self.digits = dim, channels
        self.sizes = (0,) * scales  # values of a digit: real numbers have no count
        self.steps, self.solver, self.repeats = steps, solver, repeats
        shape = (scales, channels)
        self.register_buffer("mean", torch.zeros(shape) if mean is None else mean.clone())
        self.register_buffer("spread", torch.ones(shape) if spread is None else spread.clone())
        if not bool((self.get_buffer("spread") > 0).all()):
            raise InputError("A spread of codes is zero or less, expected more: drop the channel.")
        self.enter = nn.Linear(channels, width)
        self.told = nn.Linear(dim, width)
        self.time = nn.Linear(2 * _FREQUENCIES, width)
        self.scale = nn.Embedding(scales, width)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(depth))
        self.leave = nn.Linear(width, channels)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(
        self, hidden: Tensor, state: object, k: int, valid: Tensor | None = None
    ) -> "FlowDistribution":
        """Distribution of the codes of scale k from hidden states (b, n, d)."""
        return FlowDistribution(self, k, hidden, valid)

    def velocity(self, x: Tensor, time: Tensor, hidden: Tensor, k: int) -> Tensor:
        """Velocity (..., g) at points x (..., g) and times (..., 1), in units of the spread."""
        angles = time * math.pi * torch.arange(_FREQUENCIES, device=x.device)
        clock = self.time(torch.cat([angles.cos(), angles.sin()], -1))
        condition = F.silu(self.told(hidden) + clock + self.scale.weight[k])
        inner = self.enter(x)
        for block in self.blocks:
            inner = block(inner, condition)
        found: Tensor = self.leave(F.silu(inner))
        return found


@dataclass(frozen=True)
class FlowDistribution:
    """The law of the flow's end point, for each token by itself.

    Args:
        head: The velocity field.
        k: The scale.
        hidden: (b, n, d) hidden states.
        valid: (b, n) bool, False at padding; None means all.
        away: Distributions to be guided away from, one after the other, and the weights.
        temperature: Standard deviation of the noise that the flow starts from.
    """

    head: FlowHead
    k: int
    hidden: Tensor
    valid: Tensor | None = None
    away: tuple[tuple["FlowDistribution", float], ...] = ()
    temperature: float = 1.0

    def token_loss(self, code: Tensor, noise: Noise) -> Tensor:
        """Flow matching loss (b, n) of each token's code (b, n, g); zero at padding.

        It is what a refiner minimises in place of the negative log-probability.

        Args:
            code: (b, n, g) real numbers.
            noise: Gives noise and times, of the training step and the scale.
        """
        repeats, (n, g) = self.head.repeats, code.shape[1:]
        start = noise.normal(Stream.CODES, repeats, n, g)
        time = noise.fork(Stream.CODES).uniform(Stream.CODES, repeats, n, 1)
        end = self._standard(code).unsqueeze(1)
        hidden = self.hidden.unsqueeze(1).expand(-1, repeats, -1, -1)
        found = self.head.velocity(torch.lerp(start, end, time), time, hidden, self.k)
        tokens = (found.float() - (end - start)).square().mean((1, 3))
        return self._real(tokens)

    def token_log_prob(self, code: Tensor) -> Tensor:
        """Log-density (b, n) of each token's code (b, n, g) under the exact flow, in nats.

        It has no gradient. Runge and Kutta's fourth order with 32 steps integrates it.

        Raises:
            InputError: The temperature is 0, where there is no density.
        """
        if self.temperature == 0:
            raise InputError("A flow at temperature 0 has no density: give a temperature above 0.")
        with torch.no_grad():
            start, trace = self._backwards(self._standard(code.float()))
            spread = self.temperature * self.head.get_buffer("spread")[self.k]
            each = (start / self.temperature).square() / 2 + _LOG_ROOT + spread.log()
            return self._real(-each.sum(2) - trace)

    def log_prob(self, code: Tensor) -> Tensor:
        """Log-density (b,) of codes (b, n, g) under the exact flow, in nats."""
        return self.token_log_prob(code).sum(1)

    @torch.no_grad()
    def sample(self, noise: Noise) -> Tensor:
        """Codes (b, n, g), by the head's solver and steps."""
        count = self.hidden.shape[1]
        x = self.temperature * noise.normal(Stream.CODES, count, self.head.digits)
        step = 1 / self.head.steps
        for number in range(self.head.steps):
            velocity = self.velocity(x, number * step)
            if self.head.solver == "heun":
                ahead = self.velocity(x + step * velocity, (number + 1) * step)
                velocity = (velocity + ahead) / 2
            x = x + step * velocity
        mean, spread = self.head.get_buffer("mean"), self.head.get_buffer("spread")
        return mean[self.k] + x * spread[self.k]

    def guided(self, unconditional: Self, weight: float) -> Self:
        """Classifier-free guidance on velocities (arXiv 2207.12598); weight 0 changes nothing."""
        return replace(self, away=(*self.away, (unconditional, weight))) if weight else self

    def sharpened(
        self, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0
    ) -> Self:
        """Noise with that standard deviation, as in MAR; 0 leaves the path of its mean.

        Raises:
            InputError: `top_k` or `top_p` is given: real numbers have no list of likely values.
        """
        if top_k is not None or top_p < 1:
            raise InputError(
                f"Found top_k {top_k} and top_p {top_p} for real-valued codes, which have no list "
                "of likely values: use a temperature."
            )
        return replace(self, temperature=self.temperature * temperature)

    def velocity(self, x: Tensor, time: float) -> Tensor:
        """Velocity (b, n, g), guided if asked for, in units of the spread."""
        when = x.new_full((*x.shape[:-1], 1), time)
        given = self.head.velocity(x, when, self.hidden, self.k).float()
        for other, weight in self.away:
            given = (1 + weight) * given - weight * other.velocity(x, time)
        return given

    def _standard(self, code: Tensor) -> Tensor:
        """Codes in units of the spread, about the mean."""
        mean, spread = self.head.get_buffer("mean"), self.head.get_buffer("spread")
        return (code - mean[self.k]) / spread[self.k]

    def _real(self, tokens: Tensor) -> Tensor:
        """Zero at padding."""
        return tokens if self.valid is None else torch.where(self.valid, tokens, 0)

    def _backwards(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Start (b, n, g) of the path that ends at x, and its integral (b, n) of the trace."""
        total, step = x.new_zeros(x.shape[:-1]), 1 / _RUNGE_KUTTA
        for number in range(_RUNGE_KUTTA, 0, -1):
            time = number * step
            first = divergence(self.velocity, x, time)
            second = divergence(self.velocity, x - step / 2 * first[0], time - step / 2)
            third = divergence(self.velocity, x - step / 2 * second[0], time - step / 2)
            fourth = divergence(self.velocity, x - step * third[0], time - step)
            slopes = zip(first, second, third, fourth, strict=True)
            velocity, trace = ((a + 2 * b + 2 * c + d) / 6 for a, b, c, d in slopes)
            x, total = x - step * velocity, total + step * trace
        return x, total


def divergence(field: Field, x: Tensor, time: float) -> tuple[Tensor, Tensor]:
    """Velocity (..., g) at x, and the trace (...) of its derivative, one row at a time."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        velocity = field(x, time)
        trace = torch.zeros_like(x[..., 0])
        for place in range(x.shape[-1]):
            row = torch.autograd.grad(velocity[..., place].sum(), x, retain_graph=True)[0]
            trace = trace + row[..., place]
    return velocity.detach(), trace


class _Block(nn.Module):
    """Residual block with an adaptive norm (as in MAR); at first it changes nothing."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 3 * width)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def matrices(self) -> list[nn.Parameter]:
        """Matrices between hidden states, see `refine_core.training.muon`."""
        return linear_weights(self.mlp)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Same shape as `x` (..., w)."""
        shift, scale, gate = self.modulation(condition).chunk(3, -1)
        changed: Tensor = x + gate * self.mlp(torch.addcmul(shift, self.norm(x), 1 + scale))
        return changed


def _check(counts: dict[str, int], solver: str) -> None:
    """Refuse what is out of range."""
    for name, count in counts.items():
        if count < 1:
            raise InputError(f"A flow head needs {name} of 1 or more, found {count}.")
    check_choice("The solver", solver, get_args(Solver))
