"""Similarity of molecules: Tanimoto of fingerprints, cosine of counts of fragments."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint8]  # (n, bits / 8), packed
Real = NDArray[np.float64]

ROWS = 2048


def nearest(a: Bits, b: Bits) -> Real:
    """Return (n,) Tanimoto similarities of each of a (n, w) to the most similar of b (m, w).

    Its mean is the metric SNN of MOSES.
    """
    return most_similar(a, b)[1]


def most_similar(a: Bits, b: Bits) -> tuple[NDArray[np.int64], Real]:
    """Return (n,) rows of b (m, w) most similar to each of a (n, w), and their similarities.

    Of equally similar ones it is the first.
    """
    rows, best = np.zeros(len(a), np.int64), np.zeros(len(a))
    for start, column, block in _blocks(a, b):
        here = slice(start, start + len(block))
        found = block.argmax(1)
        similarity = block[np.arange(len(block)), found]
        better = similarity > best[here]
        rows[here] = np.where(better, column + found, rows[here])
        best[here] = np.where(better, similarity, best[here])
    return rows, best


def nearest_other(a: Bits) -> Real:
    """Return (n,) Tanimoto similarities of each of a (n, w) to the most similar other one."""
    best = np.zeros(len(a))
    for start, column, block in _blocks(a, a):
        rows, columns = block.shape
        if start == column:
            block[np.arange(rows), np.arange(columns)] = 0
        part = best[start : start + rows]
        np.maximum(part, block.max(1), out=part)
    return best


def diversity(a: Bits) -> tuple[float, float]:
    """Return 1 - mean T and 1 - (mean T^2)^1/2 over all ordered pairs of a (n, w), T Tanimoto.

    Pairs of a molecule with itself count too, as in the metrics IntDiv and IntDiv2 of MOSES.
    """
    first, second = 0.0, 0.0
    for _, _, block in _blocks(a, a):
        first += float(block.sum(dtype=np.float64))
        second += float((block**2).sum(dtype=np.float64))
    pairs = len(a) ** 2
    if not pairs:
        return float("nan"), float("nan")
    return 1 - first / pairs, 1 - float(np.sqrt(second / pairs))


def cosine(a: Counter[str], b: Counter[str]) -> float:
    """Return the cosine of the angle between two counts, NaN where one is empty.

    For BRICS fragments it is the metric Frag of MOSES, for scaffolds Scaf.
    """
    if not a or not b:
        return float("nan")
    lengths = [np.sqrt(sum(n * n for n in counts.values())) for counts in (a, b)]
    return float(sum(n * b[name] for name, n in a.items()) / (lengths[0] * lengths[1]))


def _blocks(a: Bits, b: Bits) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """Yield first row, first column and similarities (rows, columns) of blocks of all pairs.

    Two fingerprints without any bit have similarity 1.
    """
    for i in range(0, len(a), ROWS):
        x = np.unpackbits(a[i : i + ROWS], axis=1).astype(np.float32)
        for j in range(0, len(b), ROWS):
            y = np.unpackbits(b[j : j + ROWS], axis=1).astype(np.float32)
            both = x @ y.T
            either = x.sum(1)[:, None] + y.sum(1) - both
            yield i, j, np.where(either > 0, both / np.maximum(either, 1), np.float32(1))
