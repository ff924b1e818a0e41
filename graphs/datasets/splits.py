"""Parts of a data set: training, validation and test graphs.

Molecules with the same canonical SMILES, without stereochemistry, are one graph: no two parts of a
data set share any.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np
import torch
from numpy.typing import NDArray

from graphs.data.store import GraphStore, Report


@dataclass(frozen=True)
class Splits:
    """Training, validation and test graphs.

    Args:
        train: Models learn from these.
        validation: Settings are chosen by these.
        test: Models are measured by these.
        test_scaffolds: MOSES only: molecules whose scaffolds are not in its training set.
    """

    train: GraphStore
    validation: GraphStore
    test: GraphStore
    test_scaffolds: GraphStore | None = None


def split_store(
    store: GraphStore,
    counts: Sequence[int],
    seed: int = 0,
    group: NDArray[np.int64] | None = None,
) -> Splits:
    """Split graphs, in random order, into train, validation and test.

    Args:
        store: N graphs.
        counts: Count of groups in each part; together all.
        seed: Seed of the random order.
        group: (N,) group of each graph, from 0; those of one group stay together. By default every
            graph is a group of its own.
    """
    group = np.arange(len(store)) if group is None else group
    place = np.random.default_rng(seed).permutation(sum(counts)).argsort()[group]
    order = place.argsort(kind="stable")
    parts = np.split(order, place[order].searchsorted(np.cumsum(counts)[:2]))
    return Splits(*(store.subset(part) for part in parts))


def split_tenths(
    store: GraphStore, seed: int = 0, group: NDArray[np.int64] | None = None
) -> Splits:
    """Eight tenths to train on, one to validate, one to test; equal molecules are in one part.

    Args:
        store: N graphs.
        seed: Seed of the random order.
        group: (N,) as of `split_store`; by default `molecule_groups`, of molecules.
    """
    if group is None and store.arrays.text is not None:
        group = molecule_groups(store)
    count = len(store) if group is None else int(group.max(initial=-1)) + 1
    tenth = max(1, count // 10)
    return split_store(store, (max(0, count - 2 * tenth), tenth, tenth), seed, group)


def without_repeats(parts: Splits) -> Splits:
    """Leave out of each part the molecules of earlier parts, and report how many these are."""
    earlier, left = _hashes(parts.train), dict[str, GraphStore]()
    for name in ("validation", "test", "test_scaffolds"):
        if (store := getattr(parts, name)) is not None:
            own = _hashes(store)
            left[name] = store.subset(np.flatnonzero(~np.isin(own, earlier)))
            earlier = np.concatenate([earlier, own])
    lost = sum(len(getattr(parts, name)) - len(store) for name, store in left.items())
    report: Report = {**parts.train.report, "repeats left out of validation and test": lost}
    return replace(parts, train=replace(parts.train, report=report), **left)


def molecule_groups(store: GraphStore) -> NDArray[np.int64]:
    """Number of the molecule that each of N graphs is, (N,), from 0 in order of appearance."""
    _, first, group = np.unique(_hashes(store), return_index=True, return_inverse=True)
    return np.asarray(first.argsort().argsort()[group], np.int64)


def _hashes(store: GraphStore) -> NDArray[np.uint64]:
    """Hashes (N,) of canonical SMILES, the same in all runs; texts are read a few at a time."""
    pieces = torch.arange(len(store)).split(10_000)
    texts = (text.encode() for piece in pieces for text in store.text(piece))
    found = (blake2b(text, digest_size=8).digest() for text in texts)
    return np.fromiter((int.from_bytes(each, "little") for each in found), np.uint64, len(store))
