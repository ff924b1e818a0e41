"""Tokenisers: data to coarse-to-fine codes and back, by the only refinement loop of the project.

A tokeniser holds a state that every scale refines. Encoding, decoding, sampling and editing are
one loop, `Tokenizer.unroll`, and differ only in who chooses the code of scale k: the quantised
residual, a given code, the model, or a mixture. The loop is the paper's eq. 10 with
`Phi^(k)(s, c) = s + c`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from refine_core.errors import InputError
from refine_core.noise import Noise, Stream
from refine_core.quantizers.base import Quantized
from refine_core.schedule import ScaleSchedule

DataT = TypeVar("DataT")
FeaturesT = TypeVar("FeaturesT", bound=Sized)
StateT = TypeVar("StateT")

Choose = Callable[[StateT, int], Quantized]
"""Map (state before scale k, k) to the codes of scale k."""
Corrupt = Callable[[Tensor, int], Tensor]
"""Map (code of scale k, k) to the code that the state is refined with instead."""
After = Callable[[StateT, int], None]
"""Called with (state after scale k, k)."""


@dataclass(frozen=True)
class Trace(Generic[StateT]):
    """What one pass through the scales left behind.

    Args:
        states: K + 1 states: before each scale, and the final one.
        chosen: K chosen codes and their values.
    """

    states: list[StateT]
    chosen: list[Quantized]

    @property
    def codes(self) -> list[Tensor]:
        """K code tensors of shape (b, n, g)."""
        return [choice.code for choice in self.chosen]


class Tokenizer(nn.Module, ABC, Generic[DataT, FeaturesT, StateT]):
    """Base of all tokenisers: fill in what a state is; the loop is given.

    Attributes:
        schedule: Scales from coarse to fine.

    A number in [0, 1) by its binary digits, each of which is a scale of one token:

    >>> import torch
    >>> import refine_core as rc
    >>> from refine_core.quantizers.base import Quantized
    >>> class Binary(rc.Tokenizer):
    ...     schedule = rc.ScaleSchedule.of([(1,)] * 4)
    ...     def features(self, x, noise=None):
    ...         return x
    ...     def start(self, count, noise=None):
    ...         return torch.zeros(count)
    ...     def quantize(self, features, state, k):
    ...         return self.lookup((features - state >= 0.5 ** (k + 1)).long()[:, None, None], k)
    ...     def lookup(self, code, k):
    ...         return Quantized.known(code, code * 0.5 ** (k + 1))
    ...     def digits(self, k):
    ...         return 1
    ...     def digit_values(self, k):
    ...         return 2
    ...     def add(self, state, value, k):
    ...         return state + value[:, 0, 0]
    ...     def finish(self, state):
    ...         return state
    >>> codes = Binary().encode(torch.tensor([0.6875]))
    >>> [int(code) for code in codes], Binary().decode(codes).tolist()
    ([1, 0, 1, 1], [0.6875])
    >>> Binary().decode(codes[:1]).tolist()  # the coarse result
    [0.5]
    """

    schedule: ScaleSchedule

    @abstractmethod
    def features(self, x: DataT, noise: Noise | None = None) -> FeaturesT:
        """Encoder `F` of eq. 12: what is decomposed into scales; `noise` breaks symmetries."""

    @abstractmethod
    def start(self, count: int, noise: Noise | None = None) -> StateT:
        """State before the first scale, of `count` samples."""

    @abstractmethod
    def quantize(self, features: FeaturesT, state: StateT, k: int) -> Quantized:
        """Code at scale k of what `state` lacks of `features` (eq. 14 and 15)."""

    @abstractmethod
    def lookup(self, code: Tensor, k: int) -> Quantized:
        """Value of a code (b, n, g) of scale k: the embedding of eq. 17 and 19."""

    @abstractmethod
    def digits(self, k: int) -> int:
        """Count g of digits of a code of scale k."""

    @abstractmethod
    def digit_values(self, k: int) -> int:
        """Count of values that each digit of a code of scale k can take; 0 for real numbers."""

    @abstractmethod
    def add(self, state: StateT, value: Tensor, k: int) -> StateT:
        """State refined by a value of scale k, upsample-and-add (eq. 19); pure."""

    @abstractmethod
    def finish(self, state: StateT) -> DataT:
        """Decoder `G` of eq. 20. Any state will do: stopping early gives a coarse result."""

    def finished(self, state: StateT) -> bool:
        """Whether a state needs no further scale, where their count follows from the data."""
        return False

    def corruption(self, noise: Noise, share: float) -> Corrupt:
        """Random replacement of digits by others, each as likely (self-correction).

        Args:
            noise: Random numbers of the training step.
            share: Largest share of digits that are replaced; each sample draws its own below it.

        Calling it raises `InputError` where codes are real numbers.
        """
        own = noise.fork(Stream.CORRUPTION)
        chance = own.uniform(-1) * share

        def corrupt(code: Tensor, k: int) -> Tensor:
            size = self.digit_values(k)
            if size < 2:
                raise InputError(
                    "Real-valued codes have no other values to be replaced by, found a corruption "
                    "above 0: set it to 0, or add noise in the forward process."
                )
            hit = own.uniform(2 * k, *code.shape[1:]) < chance[:, None, None]
            step = 1 + (own.uniform(2 * k + 1, *code.shape[1:]) * (size - 1)).long()
            return torch.where(hit, (code + step) % size, code)

        return corrupt

    def unroll(
        self,
        state: StateT,
        choose: Choose[StateT],
        corrupt: Corrupt | None = None,
        scales: int | None = None,
        after: After[StateT] | None = None,
    ) -> Trace[StateT]:
        """Go through the scales from coarse to fine.

        Args:
            state: Before the first scale.
            choose: Gives each scale's codes.
            corrupt: If given, states go on with corrupted codes, so that later residuals learn to
                repair them (self-correction, Infinity, arXiv 2412.04431); the trace keeps the
                codes that were chosen.
            scales: Stop after that many, 0 to K; None goes through all.
            after: Called after each scale.

        Raises:
            InputError: There are fewer scales.
        """
        states, chosen = [state], []
        for k in range(self.scale_count(scales)):
            if self.finished(states[-1]):
                break
            choice = choose(states[-1], k)
            value = (
                choice.value if corrupt is None else self.lookup(corrupt(choice.code, k), k).value
            )
            chosen.append(choice)
            states.append(self.add(states[-1], value, k))
            if after is not None:
                after(states[-1], k)
        return Trace(states, chosen)

    def scale_count(self, scales: int | None) -> int:
        """Scales to go through, all for None.

        Raises:
            InputError: There are fewer.
        """
        count = len(self.schedule) if scales is None else scales
        if not 0 <= count <= len(self.schedule):
            raise InputError(
                f"Found {count} scales, expected 0 to {len(self.schedule)}, as many as there are."
            )
        return count

    def trace(self, features: FeaturesT, corrupt: Corrupt | None = None) -> Trace[StateT]:
        """Unroll the forward process on features (eq. 16)."""
        return self.unroll(
            self.start(len(features)), lambda state, k: self.quantize(features, state, k), corrupt
        )

    @torch.no_grad()
    def encode(self, x: DataT) -> list[Tensor]:
        """Codes of `x`, coarse to fine: K tensors of shape (b, n_k, g)."""
        return self.trace(self.features(x)).codes

    @torch.no_grad()
    def decode(self, codes: Sequence[Tensor]) -> DataT:
        """Inverse bookkeeping of `encode`; fewer than K codes give the coarse result.

        Raises:
            InputError: There is no code, from which the count of samples would follow.
        """
        if not codes:
            raise InputError("Found no codes to decode, expected those of one scale or more.")
        start = self.start(len(codes[0]))
        trace = self.unroll(start, lambda _, k: self.lookup(codes[k], k), scales=len(codes))
        return self.finish(trace.states[-1])
