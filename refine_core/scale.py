"""One factor of the product over scales."""

import itertools
from dataclasses import dataclass

from refine_core.errors import InputError
from refine_core.pyramid import Size


@dataclass(frozen=True)
class Scale:
    """One factor of the product.

    Args:
        size: Length of each axis; empty where the data decides, as for graphs.
        codes: Values that a digit of the scale's codes can take; None where not fixed.
        weight: Of the scale's loss, relative to the others, per token.
        temperature: Divides the logits when sampling; 0 takes the most likely code.
        top_k: Keeps that many most likely values of each digit; None keeps all.
        top_p: Keeps the smallest set of values with this probability; 1 keeps all.
        guidance: Classifier-free guidance weight w of (1 + w) conditional - w unconditional
            logits; 0 is none.
        part: (p, n): only the cells on the p-th of n interleaved lattices, so that n scales of one
            size share its cells. Draws within a scale are independent; neighbours in different
            parts are not, at the price of a call and of no token more.

    >>> Scale((3, 3), part=(0, 2)).cells
    [0, 2, 4, 6, 8]
    """

    size: Size = ()
    codes: int | None = None
    weight: float = 1.0
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    guidance: float = 0.0
    part: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", tuple(self.size))
        object.__setattr__(self, "part", tuple(self.part))
        wrong = {
            "size": any(n < 1 for n in self.size),
            "codes": self.codes is not None and self.codes < 2,
            "weight": self.weight < 0,
            "temperature": self.temperature < 0,
            "top_k": self.top_k is not None and self.top_k < 1,
            "top_p": not 0 < self.top_p <= 1,
            "part": not 0 <= self.part[0] < self.part[1] or not self.cells,
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
        return size if count == 1 else f"{size}[{place + 1}/{count}]"

    @property
    def tokens(self) -> int:
        """Count of tokens, where the size is fixed."""
        return len(self.cells)

    @property
    def cells(self) -> list[int]:
        """Places of the scale's tokens among all cells of its size, row by row."""
        place, count = self.part
        stride = max(1, count // 2)
        cells = itertools.product(*map(range, self.size))
        return [
            number
            for number, cell in enumerate(cells)
            if sum(i * stride**axis for axis, i in enumerate(cell)) % count == place
        ]
