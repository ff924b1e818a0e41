"""The scale schedule: how many scales, how large, and in how many parts each is predicted.

`p(codes | context) = prod_k p(c_k | s_<k, context)`: a schedule lists the factors, coarse to fine.
How they are learnt and sampled is said elsewhere (`Refiner`, `refine_core.sampling.Sampling`).
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar, get_args

import torch

from refine_core.errors import InputError, check_choice
from refine_core.pyramid import Size

T = TypeVar("T")
Order = Literal["lattice", "random", "raster"]
"""How the cells of one size are shared out among its parts: interleaved lattices (of two parts, a
checkerboard), a fixed random order, or rows from the first to the last."""


@dataclass(frozen=True)
class Scale:
    """One factor of the product.

    Args:
        size: Length of each axis; empty where the data decides, as for graphs.
        codes: Values that a digit of the scale's codes can take; None where not fixed.
        part: (p, n): only the p-th of n parts of the cells, so that n scales of one size share
            its cells. Where codes within a scale are sampled independently, those in different
            parts are not, at the price of a call and of no further token.
        order: How cells are shared out among parts, see `Order`.
        span: How many consecutive parts, from the p-th on, are one scale: its tokens are those of
            the first part, then of the next.

    >>> import refine_core as rc
    >>> rc.Scale((3, 3), part=(0, 2)).cells
    [0, 2, 4, 6, 8]
    >>> rc.Scale((2, 2), part=(2, 4), span=2).pieces
    [[1], [3]]
    """

    size: Size = ()
    codes: int | None = None
    part: tuple[int, int] = (0, 1)
    order: Order = "lattice"
    span: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", tuple(self.size))
        object.__setattr__(self, "part", tuple(self.part))
        check_choice("The order of parts", self.order, get_args(Order))
        wrong = {
            "size": any(n < 1 for n in self.size),
            "codes": self.codes is not None and self.codes < 2,
            "part": not 0 <= self.part[0] < self.part[1] or not self.cells,
            "span": not 1 <= self.span <= self.part[1] - self.part[0],
        }
        for name in (name for name, is_wrong in wrong.items() if is_wrong):
            raise InputError(
                f"A scale cannot have {name} = {getattr(self, name)}: see Scale's documentation."
            )

    def __str__(self) -> str:
        return self.name if self.codes is None else f"{self.name}:{self.codes}"

    @property
    def name(self) -> str:
        """Size, and which part of it."""
        place, count = self.part
        size = "x".join(map(str, self.size)) or "?"
        last = f"-{place + self.span}" if self.span > 1 else ""
        return size if self.span == count else f"{size}[{place + 1}{last}/{count}]"

    @property
    def tokens(self) -> int:
        """Count of tokens, where the size is fixed."""
        return len(self.cells)

    @property
    def cells(self) -> list[int]:
        """Places of the scale's tokens among all cells of its size, row by row in each part."""
        return [cell for piece in self.pieces for cell in piece]

    @property
    def pieces(self) -> list[list[int]]:
        """Places of the tokens of each of the scale's parts."""
        first = self.part[0]
        return [self._piece(place) for place in range(first, first + self.span)]

    def _piece(self, place: int) -> list[int]:
        """Places of the tokens of a part, row by row."""
        count = self.part[1]
        if self.order != "lattice":
            return self._shared_out(place)
        stride = max(1, count // 2)
        cells = itertools.product(*map(range, self.size))
        return [
            number
            for number, cell in enumerate(cells)
            if sum(i * stride**axis for axis, i in enumerate(cell)) % count == place
        ]

    def _shared_out(self, place: int) -> list[int]:
        """Cells of a part in an order that is none of lattices."""
        count, total = self.part[1], math.prod(self.size)
        cells = list(range(total))
        if self.order == "random":
            cells = torch.randperm(total, generator=torch.Generator().manual_seed(total)).tolist()
        return sorted(cells[place * total // count : (place + 1) * total // count])


@dataclass(frozen=True)
class ScaleSchedule:
    """Scales from coarse to fine.

    Args:
        scales: The factors of the product, one network call each.

    Raises:
        InputError: There is no scale.

    >>> import refine_core as rc
    >>> print(rc.ScaleSchedule.of([(2, 2), (3, 3)], codes=[16, 64], parts=[1, 2]))
    2x2:16 -> 3x3[1/2]:64 -> 3x3[2/2]:64 (13 tokens)
    """

    scales: tuple[Scale, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "scales", tuple(self.scales))
        if not self.scales:
            raise InputError("A schedule needs at least one scale, found none.")

    @classmethod
    def of(
        cls,
        sizes: Sequence[Size],
        *,
        codes: Sequence[int] | None = None,
        parts: Sequence[int] = (1,),
        order: Order = "lattice",
    ) -> "ScaleSchedule":
        """Schedule of explicit sizes.

        Args:
            sizes: Coarse to fine.
            codes: Values of a digit: one count for all sizes, or one per size.
            parts: Calls in which a size is predicted, see `Scale.part`: one count for all, or one
                per size.
            order: How cells are shared out among the parts of a size.

        Raises:
            InputError: A list has neither one entry nor one per size.
        """
        counts = per_scale("parts", parts, len(sizes))
        values: list[int | None] = [None] * len(sizes)
        if codes is not None:
            values = list(per_scale("codes", codes, len(sizes)))
        return cls(
            tuple(
                Scale(size, value, (place, count), order)
                for size, value, count in zip(sizes, values, counts, strict=True)
                for place in range(count)
            )
        )

    @classmethod
    def geometric(cls, coarsest: Size, finest: Size, count: int) -> "ScaleSchedule":
        """Lengths that grow by a constant factor (rounded), from the coarsest to the finest size.

        >>> print(ScaleSchedule.geometric((1, 1), (7, 7), 4))
        1x1 -> 2x2 -> 4x4 -> 7x7 (70 tokens)

        Raises:
            InputError: There are fewer than two scales.
        """
        if count < 2:
            raise InputError(
                f"A schedule between two sizes needs 2 scales or more, found {count}: "
                "use `of` for one."
            )
        lengths = list(zip(coarsest, finest, strict=True))
        grid = [k / (count - 1) for k in range(count)]
        return cls.of([tuple(round(a ** (1 - t) * b**t) for a, b in lengths) for t in grid])

    @property
    def sizes(self) -> tuple[Size, ...]:
        """Size of each scale, coarse to fine."""
        return tuple(scale.size for scale in self.scales)

    @property
    def complete(self) -> list[int]:
        """Scales after which no cell of their size is left to be predicted."""
        ends = [(scale.part[0] + scale.span, scale.part[1]) for scale in self.scales]
        return [k for k, (end, count) in enumerate(ends) if end == count]

    @property
    def wholes(self) -> list[int]:
        """For each scale, how many sizes have been completed before it."""
        return [sum(done < k for done in self.complete) for k in range(len(self))]

    def merged(self, calls: Sequence[int]) -> "ScaleSchedule":
        """The same cells in fewer scales: consecutive parts of a size become one.

        Where parts do not divide, the first scales of a size have fewer parts: what they decide is
        then known to the others.

        Args:
            calls: Scales of each size: one count for all sizes, or one per size.

        >>> print(ScaleSchedule.of([(2, 2), (3, 3)], parts=[4, 3]).merged([2, 1]))
        2x2[1-2/4] -> 2x2[3-4/4] -> 3x3 (13 tokens)

        Raises:
            InputError: There is neither one count nor one per size, or a size has fewer parts.
        """
        firsts = [k for k, scale in enumerate(self.scales) if scale.part[0] == 0]
        counts = per_scale("calls", calls, len(firsts))
        found: list[Scale] = []
        for k, count in zip(firsts, counts, strict=True):
            parts = self.scales[k].part[1]
            if any(scale.span > 1 for scale in self.scales[k : k + parts]) or count > parts:
                raise InputError(
                    f"A size of {parts} parts does not become one of {count} scales, or is merged "
                    "already: give fewer calls, and merge what has single parts."
                )
            bounds = [place * parts // count for place in range(count + 1)]
            found += [
                replace(self.scales[k], part=(a, parts), span=b - a)
                for a, b in itertools.pairwise(bounds)
            ]
        return ScaleSchedule(tuple(found))

    def check(self, sizes: Sequence[Size]) -> None:
        """Validate against a pyramid.

        Raises:
            InputError: The pyramid has other sizes.
        """
        if self.sizes != tuple(sizes):
            raise InputError(
                f"The schedule has sizes {self.sizes}, its pyramid {tuple(sizes)}: "
                "make them equal."
            )

    def __len__(self) -> int:
        return len(self.scales)

    def __getitem__(self, k: int) -> Scale:
        return self.scales[k]

    def __iter__(self) -> Iterator[Scale]:
        return iter(self.scales)

    def __str__(self) -> str:
        sizes = " -> ".join(str(scale) for scale in self.scales)
        tokens = f" ({sum(s.tokens for s in self.scales)} tokens)" if all(self.sizes) else ""
        return f"{sizes}{tokens}"


def per_scale(name: str, values: Sequence[T], count: int) -> list[T]:
    """One value for all scales, or one per scale, as one per scale.

    Args:
        name: What the values are called, for the message.
        values: One or `count` values.
        count: Number of scales.

    Raises:
        InputError: There are neither one nor `count` values.
    """
    if len(values) not in (1, count):
        raise InputError(
            f"{name} has {len(values)} values for {count} scales: give one for all, or one each."
        )
    return list(values) * (count if len(values) == 1 else 1)
