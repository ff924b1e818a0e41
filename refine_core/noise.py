"""Counter-based random numbers: the same for a seed and a sample, whatever the batch.

A number is a pure function of (seed, sample index, stream, position), made by the splitmix64
finaliser (Steele, Lea and Flood, 2014; constants of Stafford's mix 13). There is no state, so
nothing has to be saved to resume, samples may be split over batches, processes and devices at
will, and an ensemble member is a name, not a place in a queue.
"""

import functools
import math
from collections.abc import Callable
from enum import IntEnum
from typing import TypeVar, cast

import torch
from torch import Tensor

from refine_core.errors import InputError

F = TypeVar("F", bound=Callable[..., object])
_GOLDEN = 0x9E3779B97F4A7C15
_MIX = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


def _eager(function: F) -> F:
    """Leave a function out of compilation, whose code for 64-bit integers has other overflows.

    `torch.compiler.disable` comes in only where something is compiled, for its import takes a
    second and 70 MB.
    """

    @functools.wraps(function)
    def call(*args: object, **options: object) -> object:
        if torch.compiler.is_compiling():
            return torch.compiler.disable(function)(*args, **options)
        return function(*args, **options)

    return cast(F, call)


class Stream(IntEnum):
    """Streams of random numbers that the core uses; codes of scale k come from `fork(k)`."""

    CODES = 0
    """Codes of a scale; which training samples a tokeniser decodes from coarse scales only."""
    CONTEXT_DROPOUT = -1
    """Training samples whose context is dropped."""
    CORRUPTION = -2
    """Corrupted codes of self-correction training."""
    COMPONENT = -3
    """Component of a mixture that a real-valued code is drawn from."""
    NOTES = -9
    """Steps of training in which scales are told what the ones before predict."""


class Noise:
    """Random numbers of a batch of samples.

    Args:
        seed: Seed of the run.
        index: (b,) int64, the name of each sample, on the device where numbers are wanted.

    Raises:
        InputError: The index is not of int64.

    >>> import torch
    >>> import refine_core as rc
    >>> whole = rc.Noise.range(0, 5).normal(0, 3)  # of five samples, from stream 0 of seed 0
    >>> alone = rc.Noise(0, torch.tensor([4])).normal(0, 3)
    >>> alone.shape, bool((alone == whole[4]).all())
    (torch.Size([1, 3]), True)
    """

    @_eager
    def __init__(self, seed: int, index: Tensor) -> None:
        if index.dtype != torch.int64:
            raise InputError(
                f"Samples are named by int64 numbers, found {index.dtype}: use `index.long()`."
            )
        self.seed = seed
        self.index = index
        self._key = _scramble(index + _signed(seed * _GOLDEN))

    @classmethod
    def range(cls, seed: int, count: int, device: torch.device | str | None = None) -> "Noise":
        """Noise of the samples 0, 1, ..., count - 1."""
        return cls(seed, torch.arange(count, device=device))

    def __len__(self) -> int:
        return len(self.index)

    @_eager
    def uniform(self, stream: int, *shape: int, start: int = 0) -> Tensor:
        """Numbers in [0, 1) of shape (b, *shape), with 24 random bits; streams are independent.

        `start` is the place in the stream of the first one of each sample.
        """
        place = torch.arange(start, start + math.prod(shape), device=self.index.device)
        return self.uniform_at(stream, place[None]).reshape(-1, *shape)

    @_eager
    def uniform_at(self, stream: int, place: Tensor) -> Tensor:
        """Numbers in [0, 1), (b, n), at places (b or 1, n) int64 of the streams of the samples."""
        key = _scramble(self._key + _signed(stream * _GOLDEN))
        bits = _scramble(key[:, None] + (place + 1) * _signed(_GOLDEN))
        return _shift(bits, 40).float() / 2**24

    @_eager
    def normal(self, stream: int, *shape: int) -> Tensor:
        """Standard normal numbers of shape (b, *shape), by Box and Muller."""
        u = double(self.uniform(stream, *shape, 2))
        radius = torch.sqrt(-2 * torch.log1p(-u[..., 0]))
        return (radius * torch.cos(2 * math.pi * u[..., 1])).float()

    def rows(self, which: Tensor) -> "Noise":
        """Noise of the samples at some rows: their places, or a bool (b,)."""
        return Noise(self.seed, self.index[which])

    def fork(self, name: int) -> "Noise":
        """Independent noise for the same samples, e.g. of another step."""
        return Noise(derive(self.seed, name), self.index)


def double(x: Tensor) -> Tensor:
    """In double precision, as it is on MPS, which has none."""
    return x if x.device.type == "mps" else x.double()


def derive(*names: int) -> int:
    """One 63-bit seed from several integers, e.g. (run seed, step).

    >>> derive(0, 1) != derive(1, 0)
    True
    """
    state = 0
    for name in names:
        state = _scramble_int((state + (name + 1) * _GOLDEN) % 2**64)
    return state % 2**63


def _scramble(x: Tensor) -> Tensor:
    x = (x ^ _shift(x, 30)) * _signed(_MIX[0])
    x = (x ^ _shift(x, 27)) * _signed(_MIX[1])
    return x ^ _shift(x, 31)


def _scramble_int(x: int) -> int:
    """`_scramble` of an unsigned 64-bit Python integer."""
    x = ((x ^ (x >> 30)) * _MIX[0]) % 2**64
    x = ((x ^ (x >> 27)) * _MIX[1]) % 2**64
    return x ^ (x >> 31)


def _shift(x: Tensor, by: int) -> Tensor:
    """Logical right shift (torch's is arithmetic)."""
    return (x >> by) & ((1 << (64 - by)) - 1)


def _signed(value: int) -> int:
    """The int64 with the same 64 bits."""
    return (value + 2**63) % 2**64 - 2**63
