"""Fragments that are frequent in a set of molecules (see `graphs.chem.fragments`)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from graphs.chem.fragments import is_atom
from graphs.chem.parser import ParseOptions
from graphs.chem.workers import cut_chunk, map_chunks
from refine_core.app.progress import Progress

MINED = 200_000
"""Molecules whose fragments are counted, at most."""
LEARNABLE, MOST = 5, 1000
"""Molecules that have a fragment of which a model can learn, and how many such are taken."""


@dataclass(frozen=True)
class FragmentCounts:
    """How frequent fragments are; atoms are left out.

    Args:
        names: By the count of molecules that have them, the most frequent first.
        molecules: (k,) int64, those counts.
        rarest: (n,) int64, of each molecule the place of its rarest fragment among `names`; -1 if
            it has none.
    """

    names: tuple[str, ...]
    molecules: NDArray[np.int64]
    rarest: NDArray[np.int64]

    @classmethod
    def of(cls, cuts: Iterable[Sequence[str]]) -> "FragmentCounts":
        """Count fragments, given the names of those of each molecule.

        >>> found = FragmentCounts.of([["C", "C=O"], ["C#N", "C=O", "C=O"], ["C#N", "C=O"], ["C"]])
        >>> found.names, found.molecules.tolist(), found.covered(1)
        (('C=O', 'C#N'), [3, 2], 0.5)
        """
        distinct = [{name for name in names if not is_atom(name)} for names in cuts]
        found = Counter(name for names in distinct for name in names)
        ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
        place = {name: k for k, (name, _) in enumerate(ranked)}
        rarest = [max((place[name] for name in names), default=-1) for names in distinct]
        counts = np.array([count for _, count in ranked], np.int64)
        return cls(tuple(place), counts, np.array(rarest, np.int64))

    @property
    def learnable(self) -> int:
        """How many are frequent enough to learn from."""
        return min(MOST, int((self.molecules >= LEARNABLE).sum()))

    def covered(self, count: int) -> float:
        """Share of the molecules whose fragments are all among the `count` most frequent."""
        return float((self.rarest < count).mean())


def count_fragments(texts: Sequence[str], *, quiet: bool = False) -> FragmentCounts:
    """Count the fragments of molecules, of `MINED` evenly spaced ones if there are more.

    Args:
        texts: SMILES or mol blocks.
        quiet: Whether to show no progress.
    """
    some = [texts[i] for i in evenly(len(texts), MINED)]
    names: list[list[str]] = []
    with Progress("finding fragments", len(some), quiet=quiet) as progress:
        for _, part in map_chunks(some, cut_chunk):
            names += part
            progress.update(len(names))
    return FragmentCounts.of(names)


def with_mined(
    texts: Sequence[str], options: ParseOptions, *, quiet: bool = False
) -> ParseOptions:
    """Options whose fragments are those most frequent in molecules, if any are to be mined.

    Args:
        texts: The molecules.
        options: Of which `mined` says how many fragments.
        quiet: Whether to show no progress.
    """
    mined: int | Literal["auto"] = options.mined
    if not mined:
        return options
    found = count_fragments(texts, quiet=quiet)
    count = found.learnable if mined == "auto" else mined
    return replace(options, fragments=found.names[:count], mined=0)


def evenly(count: int, most: int) -> range:
    """At most `most` places among `count`, evenly spaced."""
    return range(0, count, -(-count // most) or 1)
