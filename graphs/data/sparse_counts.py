"""Counts of whatever graphs consist of, as rows of a sparse matrix."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import numpy as np
from scipy.sparse import csr_array

Counts: TypeAlias = "csr_array[np.float64, tuple[int, int]]"


def sparse_counts(rows: Iterable[Mapping[int, int]], size: int) -> Counts:
    """A sparse matrix (n, size) of counts by their number, folded into `size` places.

    >>> sparse_counts([{0: 2, 9: 1}, {}, {5: 1}], 4).toarray().tolist()
    [[2.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]
    """
    places, numbers, ends = list[int](), list[int](), [0]
    for row in rows:
        places += (number % size for number in row)
        numbers += row.values()
        ends.append(len(places))
    shape = len(ends) - 1, size
    return csr_array((np.array(numbers, float), np.array(places, int), ends), shape=shape)
