"""Tokenisers: data to coarse-to-fine codes and back, by the only refinement loop of the project.

A tokeniser holds a state that every scale refines. Encoding, decoding, sampling and editing are
one loop, `Tokenizer.unroll`, and differ only in who chooses the code of scale k: the quantised
residual, a given code, the model, or a mixture. The loop is the paper's eq. 10 with
`Phi^(k)(s, c) = s + c`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.pyramid import GridPyramid
from refine_core.quantizer import Quantized, Quantizer
from refine_core.schedule import ScaleSchedule
from refine_core.training import Batch

Choose = Callable[[Any, int], Quantized]
"""Map (state before scale k, k) to the codes of scale k."""
Corrupt = Callable[[Tensor, int], Tensor]
"""Map (code of scale k, k) to the code that the state is refined with instead."""


@dataclass(frozen=True)
class Trace:
    """What one pass through the scales left behind.

    Args:
        states: K + 1 states: before each scale, and the final one.
        chosen: K chosen codes and their values.
    """

    states: list[Any]
    chosen: list[Quantized]

    @property
    def codes(self) -> list[Tensor]:
        """K code tensors of shape (b, n, g)."""
        return [choice.code for choice in self.chosen]


class Tokenizer(nn.Module, ABC):
    """Base of all tokenisers: fill in what a state is; the loop is given."""

    schedule: ScaleSchedule

    @abstractmethod
    def features(self, x: Any) -> Any:
        """Encoder `F` of eq. 12: what is decomposed into scales."""

    @abstractmethod
    def start(self, count: int) -> Any:
        """State before the first scale, of `count` samples."""

    @abstractmethod
    def quantize(self, features: Any, state: Any, k: int) -> Quantized:
        """Code at scale k of what `state` lacks of `features` (eq. 14 and 15)."""

    @abstractmethod
    def lookup(self, code: Tensor, k: int) -> Quantized:
        """Value of a code (b, n, g) of scale k: the embedding of eq. 17 and 19."""

    @abstractmethod
    def digits(self, k: int) -> int:
        """Count g of digits of a code of scale k."""

    @abstractmethod
    def digit_values(self, k: int) -> int:
        """Count of values that each digit of a code of scale k can take."""

    @abstractmethod
    def add(self, state: Any, value: Tensor, k: int) -> Any:
        """State refined by a value of scale k, upsample-and-add (eq. 19); pure."""

    @abstractmethod
    def finish(self, state: Any) -> Any:
        """Decoder `G` of eq. 20. Any state will do: stopping early gives a coarse result."""

    def unroll(
        self,
        state: Any,
        choose: Choose,
        corrupt: Corrupt | None = None,
        scales: int | None = None,
    ) -> Trace:
        """Go through the scales from coarse to fine.

        Args:
            state: Before the first scale.
            choose: Gives each scale's codes.
            corrupt: If given, states go on with corrupted codes, so that later residuals learn to
                repair them (self-correction, Infinity, arXiv 2412.04431); the trace keeps the
                codes that were chosen.
            scales: Stop after that many; None goes through all.
        """
        states, chosen = [state], []
        for k in range(scales or len(self.schedule)):
            choice = choose(states[-1], k)
            value = (
                choice.value if corrupt is None else self.lookup(corrupt(choice.code, k), k).value
            )
            chosen.append(choice)
            states.append(self.add(states[-1], value, k))
        return Trace(states, chosen)

    def trace(self, features: Any, corrupt: Corrupt | None = None) -> Trace:
        """Unroll the forward process on features (eq. 16)."""
        return self.unroll(
            self.start(len(features)), lambda state, k: self.quantize(features, state, k), corrupt
        )

    @torch.no_grad()
    def encode(self, x: Any) -> list[Tensor]:
        """Codes of `x`, coarse to fine: K tensors of shape (b, n_k, g)."""
        return self.trace(self.features(x)).codes

    @torch.no_grad()
    def decode(self, codes: Sequence[Tensor]) -> Any:
        """Inverse bookkeeping of `encode`; fewer than K codes give the coarse result."""
        start = self.start(len(codes[0]))
        trace = self.unroll(start, lambda _, k: self.lookup(codes[k], k), scales=len(codes))
        return self.finish(trace.states[-1])


class ResidualTokenizer(Tokenizer):
    """Residual quantisation over a grid pyramid.

    loop='closed' is VAR's (arXiv 2404.02905, algorithm 1): the state lives on the finest grid,
    each scale quantises what is still missing, so later scales repair earlier errors:
        code_k = Q_k(down_k(f - s_k)),   s_{k+1} = s_k + phi_k(up(value_k)).
    loop='open' is the paper's (eq. 12 to 16): scale k quantises the Laplacian band of the features
    themselves, and the state moves up the pyramid:
        code_k = Q_k(L_k),   s_{k+1} = up(s_k) + phi_k(value_k).
    Either way the decoded state equals the sum of the expanded bands phi_k(value_k).

    Args:
        schedule: Sizes equal the pyramid's.
        pyramid: Over the feature grid.
        quantizers: One per scale, coarse to fine; the same object may serve several (a shared
            codebook). The first quantises the base.
        encoder: Data to features (b, d, *finest size).
        decoder: Features to data.
        phi: One map per scale on (b, d, *size), or None for the identity.
        loop: 'closed' or 'open'.
        commitment: Weight of the pull of the features towards every scale's state.
        truncation: Share of training samples decoded from a random number of the coarsest scales,
            so that these say what they can (nested dropout, arXiv 1402.0915); without it, the
            coarsest codebook collapses.

    Raises:
        InputError: If counts or sizes do not fit the schedule.
    """

    def __init__(
        self,
        schedule: ScaleSchedule,
        pyramid: GridPyramid,
        quantizers: Sequence[Quantizer],
        encoder: nn.Module,
        decoder: nn.Module,
        phi: Sequence[nn.Module] | None = None,
        loop: Literal["closed", "open"] = "closed",
        commitment: float = 0.25,
        truncation: float = 0.0,
    ) -> None:
        super().__init__()
        schedule.check(pyramid.sizes)
        if len(quantizers) != len(schedule):
            raise InputError(
                f"{len(quantizers)} quantisers for {len(schedule)} scales: give one per scale."
            )
        self.schedule = schedule
        self.pyramid = pyramid
        self.quantizers = nn.ModuleList(quantizers)
        self.encoder = encoder
        self.decoder = decoder
        self.phi = nn.ModuleList(phi or [nn.Identity()] * len(schedule))
        self.loop = loop
        self.commitment = commitment
        self.truncation = truncation
        self.dim = quantizers[0].dim

    def features(self, x: Tensor) -> Tensor:
        """Features (b, d, *finest) of data."""
        return self.encoder(x)  # type: ignore[no-any-return]

    def start(self, count: int) -> Tensor:
        """Zeros: nothing is known."""
        device = next(self.buffers()).device
        return torch.zeros(count, self.dim, *self.schedule[self._canvas(-1)].size, device=device)

    def view(self, state: Tensor, k: int) -> Tensor:
        """What scale k sees of the state before it, on its own grid: C of eq. 18."""
        return self.pyramid.resample(state, self._canvas(k - 1), k)

    def quantize(self, features: Tensor, state: Tensor, k: int) -> Quantized:
        """Code at scale k of the residual, see the class."""
        finest = len(self.schedule) - 1
        if self.loop == "closed":
            residual = self.pyramid.resample(features - state, finest, k)
        else:
            residual = self.pyramid.resample(features, finest, k)
            if k > 0:
                coarse = self.pyramid.resample(features, finest, k - 1)
                residual = residual - self.pyramid.resample(coarse, k - 1, k)
        chosen: Quantized = self.quantizers[k](residual.flatten(2).transpose(1, 2))
        return chosen

    def lookup(self, code: Tensor, k: int) -> Quantized:
        """Value (b, n, d) of codes."""
        quantizer: Quantizer = self.quantizers[k]  # type: ignore[assignment]
        nothing = torch.zeros((), device=code.device)
        return Quantized(quantizer.decode(code), code, nothing, nothing)

    def digits(self, k: int) -> int:
        """Digits of the scale's quantiser."""
        digits: int = self.quantizers[k].digits  # type: ignore[assignment]
        return digits

    def digit_values(self, k: int) -> int:
        """Values of a digit of the scale's quantiser."""
        size: int = self.quantizers[k].size  # type: ignore[assignment]
        return size

    def add(self, state: Tensor, value: Tensor, k: int) -> Tensor:
        """State plus phi_k of the value, both on the canvas of scale k."""
        canvas = self._canvas(k)
        grid = value.transpose(1, 2).unflatten(2, self.schedule[k].size)
        before = self.pyramid.resample(state, self._canvas(k - 1), canvas)
        refined: Tensor = before + self.phi[k](self.pyramid.resample(grid, k, canvas))
        return refined

    def finish(self, state: Tensor) -> Tensor:
        """Data of a state; a coarse state is expanded first."""
        finest = len(self.schedule) - 1
        if state.shape[2:] != self.schedule[finest].size:
            state = self.pyramid.resample(
                state, self.schedule.sizes.index(tuple(state.shape[2:])), finest
            )
        return self.decoder(state)  # type: ignore[no-any-return]

    def forward(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        """Training losses of data `batch[0]`: eq. 1, with its middle terms at every scale."""
        x = batch[0]
        features = self.features(x)
        trace = self.trace(features)
        reconstruction = F.mse_loss(self.finish(self._truncated(trace.states, noise)), x)
        quantisation = torch.stack([choice.loss for choice in trace.chosen]).mean()
        if self.loop == "closed":
            pulls = [F.mse_loss(features, state.detach()) for state in trace.states[1:]]
            quantisation = quantisation + self.commitment * torch.stack(pulls).mean()
        return {
            "loss": reconstruction + quantisation,
            "mse": reconstruction,
            "clipped": torch.stack([choice.clipped for choice in trace.chosen]).mean(),
        }

    def _truncated(self, states: Sequence[Tensor], noise: Noise) -> Tensor:
        """Final state, or for `truncation` of the samples that after a random number of scales."""
        finest = len(self.schedule) - 1
        full = states[-1]
        uniform = noise.uniform(0).reshape(-1, *[1] * (full.ndim - 1))
        draw = uniform / max(self.truncation, 1e-9) * finest
        for k in range(finest if self.truncation else 0):
            coarse = self.pyramid.resample(states[k + 1], self._canvas(k), finest)
            full = torch.where((draw >= k) & (draw < k + 1), coarse, full)
        return full

    def after_step(self) -> None:
        """Update the codebooks, each once."""
        for quantizer in self.quantizers.children():  # children() names a shared module once
            quantizer.update()  # type: ignore[operator]

    def _canvas(self, k: int) -> int:
        """Scale on whose grid the state lives after scale k."""
        return len(self.schedule) - 1 if self.loop == "closed" else max(k, 0)
