"""The scale schedule: how many scales, how large, and how each is learnt and sampled.

`p(codes | context) = prod_k p(c_k | s_<k, context)`: a schedule is the list of the factors,
coarse to fine, as data.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from refine_core.errors import InputError, suggest
from refine_core.pyramid import Size
from refine_core.scale import Scale
from refine_core.storage.files import write_text

History = Literal["full", "markov"]


@dataclass(frozen=True)
class ScaleSchedule:
    """Scales from coarse to fine, and what each may see.

    Args:
        scales: Coarse to fine.
        history: 'full' lets a scale attend to all coarser ones; 'markov' to itself and the context
            only (the state that it refines still carries what the coarser scales said).

    >>> print(ScaleSchedule.geometric((1, 1), (7, 7), 4).with_(codes=[16, 64, 64, 64]))
    1x1:16 -> 2x2:64 -> 4x4:64 -> 7x7:64 (70 tokens, full history)
    """

    scales: tuple[Scale, ...]
    history: History = "full"

    def __post_init__(self) -> None:
        object.__setattr__(self, "scales", tuple(self.scales))
        if not self.scales:
            raise InputError("A schedule needs at least one scale, found none.")
        if self.history not in ("full", "markov"):
            raise InputError(f"History is 'full' or 'markov', found {self.history!r}.")

    @classmethod
    def of(cls, sizes: Sequence[Size], history: History = "full") -> "ScaleSchedule":
        """Schedule of explicit sizes, coarse to fine."""
        return cls(tuple(Scale(size) for size in sizes), history)

    @classmethod
    def geometric(cls, coarsest: Size, finest: Size, count: int) -> "ScaleSchedule":
        """Lengths that grow by a constant factor (rounded)."""
        return cls.of([_between(coarsest, finest, t, geometric=True) for t in _grid(count)])

    @classmethod
    def linear(cls, coarsest: Size, finest: Size, count: int) -> "ScaleSchedule":
        """Lengths that grow by a constant step (rounded)."""
        return cls.of([_between(coarsest, finest, t, geometric=False) for t in _grid(count)])

    def with_(self, **values: Any) -> "ScaleSchedule":
        """Replace fields of the scales: one value for all, or a list of one per scale.

        >>> ScaleSchedule.of([(1,), (2,)]).with_(temperature=[1.0, 0.8])[1].temperature
        0.8

        Raises:
            InputError: If a field is unknown or a list has the wrong length.
        """
        known = [f.name for f in fields(Scale)]
        scales = list(self.scales)
        for name, value in values.items():
            if name not in known:
                raise InputError(
                    f"A scale has no field {name!r}, only {', '.join(known)}."
                    f"{suggest(name, known)}"
                )
            each = list(value) if isinstance(value, list | tuple) else [value] * len(scales)
            if len(each) != len(scales):
                raise InputError(
                    f"{name} has {len(each)} values for {len(scales)} scales: "
                    "give one value or one per scale."
                )
            scales = [replace(scale, **{name: v}) for scale, v in zip(scales, each, strict=True)]
        return replace(self, scales=tuple(scales))

    def interleaved(self, parts: Sequence[int]) -> "ScaleSchedule":
        """Draw scale k in `parts[k]` calls, each of every parts[k]-th cell; see `Scale.part`.

        >>> print(ScaleSchedule.of([(2, 2), (3, 3)]).interleaved([1, 2]))
        2x2 -> 3x3[1/2] -> 3x3[2/2] (13 tokens, full history)

        Raises:
            InputError: If there is not one count per scale.
        """
        if len(parts) != len(self):
            raise InputError(
                f"Found {len(parts)} counts of parts for {len(self)} scales: give one per scale."
            )
        scales = [
            replace(scale, part=(place, count))
            for scale, count in zip(self.scales, parts, strict=True)
            for place in range(count)
        ]
        return replace(self, scales=tuple(scales))

    @property
    def wholes(self) -> list[int]:
        """For each scale, how many sizes have been completed before it."""
        return [sum(done < k for done in self.complete) for k in range(len(self))]

    @property
    def complete(self) -> list[int]:
        """Scales after which no cell of their size is left to be drawn."""
        return [k for k, scale in enumerate(self.scales) if scale.part[0] == scale.part[1] - 1]

    @property
    def sizes(self) -> tuple[Size, ...]:
        """Size of each scale, coarse to fine."""
        return tuple(scale.size for scale in self.scales)

    def check(self, sizes: Sequence[Size]) -> None:
        """Validate against a pyramid.

        Raises:
            InputError: If the pyramid has other sizes.
        """
        if self.sizes != tuple(sizes):
            raise InputError(
                f"The schedule has sizes {self.sizes}, its pyramid {tuple(sizes)}: "
                "make them equal."
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as JSON has it."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "ScaleSchedule":
        """Inverse of `to_dict`.

        Raises:
            InputError: If the data is not a schedule.
        """
        try:
            return cls(tuple(Scale(**scale) for scale in plain["scales"]), plain["history"])
        except (KeyError, TypeError) as error:
            raise InputError(
                f"This is not a scale schedule ({error}): it needs `scales` and `history`."
            ) from error

    def save(self, path: Path) -> None:
        """Write as JSON."""
        write_text(path, json.dumps(self.to_dict(), indent=2) + "\n")

    @classmethod
    def load(cls, path: Path) -> "ScaleSchedule":
        """Read what `save` wrote.

        Raises:
            InputError: If the file is missing or not a schedule.
        """
        try:
            plain = json.loads(Path(path).read_text())
        except (FileNotFoundError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise InputError(
                f"Cannot read a scale schedule from {path} ({error}): expected JSON."
            ) from error
        return cls.from_dict(plain)

    def __len__(self) -> int:
        return len(self.scales)

    def __getitem__(self, k: int) -> Scale:
        return self.scales[k]

    def __iter__(self) -> Iterator[Scale]:
        return iter(self.scales)

    def __str__(self) -> str:
        sizes = " -> ".join(str(scale) for scale in self.scales)
        tokens = f"{sum(s.tokens for s in self.scales)} tokens, " if all(self.sizes) else ""
        return f"{sizes} ({tokens}{self.history} history)"


def _grid(count: int) -> list[float]:
    if count < 2:
        raise InputError(
            f"A schedule between two sizes needs 2 scales or more, found {count}: "
            "use `of` for one."
        )
    return [k / (count - 1) for k in range(count)]


def _between(coarsest: Size, finest: Size, t: float, *, geometric: bool) -> Size:
    pairs = zip(coarsest, finest, strict=True)
    if geometric:
        return tuple(round(a ** (1 - t) * b**t) for a, b in pairs)
    return tuple(round((1 - t) * a + t * b) for a, b in pairs)
