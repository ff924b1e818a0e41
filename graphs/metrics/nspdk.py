"""Neighbourhood subgraph pairwise distance kernel (Costa & De Grave, 2010) of molecules.

The features are those of EDeN, which GDSS and its successors use with complexity 4: pairs of atoms
at distance d <= 4, each described by its neighbourhood of radius r <= 4. A neighbourhood is the
sequence of multisets of atoms (element and degree) and bonds (order) at growing distance. Each
pair counts once with both neighbourhoods and once with the second only. Counts are scaled to unit
length for each (r, d), then all together. The kernel is the inner product of the features, so the
squared maximum mean discrepancy of two sets is the squared distance of their mean features.

EDeN hashes features to 16 bits, where many collide; here they have 64.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from math import sqrt
from zlib import crc32

from graphs.chem.scores import Skeleton

REACH = 4

Features = dict[int, float]


def mean_features(molecules: Iterable[Skeleton]) -> Features:
    """Return the mean of the features of molecules, by feature number; empty without molecules."""
    every = list(molecules)
    return {feature: value / len(every) for feature, value in sum_features(every).items()}


def sum_features(molecules: Iterable[Skeleton]) -> Features:
    """Return the sum of the features of molecules, by feature number."""
    total: defaultdict[int, float] = defaultdict(float)
    for molecule in molecules:
        for feature, value in features(molecule).items():
            total[feature] += value
    return dict(total)


def discrepancy(a: Mapping[int, float], b: Mapping[int, float]) -> float:
    """Return the squared distance of mean features, NaN where one is empty."""
    if not a or not b:
        return float("nan")
    return sum((a.get(key, 0.0) - b.get(key, 0.0)) ** 2 for key in a.keys() | b.keys())


def features(molecule: Skeleton) -> Features:
    """Return the features of a molecule, of unit length.

    Numbers of features are hashes of whole numbers, which are the same in every process.
    """
    near: list[dict[int, int]] = [{} for _ in molecule.atoms]
    for first, second, order in molecule.bonds:
        near[first][second] = near[second][first] = order
    labels = [hash((crc32(s.encode()), len(n))) for s, n in zip(molecule.atoms, near, strict=True)]
    distance = [_distances(near, atom) for atom in range(len(near))]
    around = [_neighbourhoods(near, labels, found) for found in distance]
    groups: defaultdict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    for atom, found in enumerate(distance):
        for other, d in found.items():
            for r, (mine, theirs) in enumerate(zip(around[atom], around[other], strict=False)):
                pair = (min(mine, theirs), max(mine, theirs))
                groups[r, d][hash((r, d, *pair))] += 1
                groups[r, d][hash((r, d, theirs))] += 1
    scale = sqrt(len(groups))
    return {
        feature: count / (scale * length)
        for counts in groups.values()
        for length in [sqrt(sum(count * count for count in counts.values()))]
        for feature, count in counts.items()
    }


def _distances(near: list[dict[int, int]], start: int) -> dict[int, int]:
    """Bonds between `start` and every atom at most four away."""
    found, shell = {start: 0}, [start]
    for distance in range(1, REACH + 1):
        shell = sorted({b for a in shell for b in near[a]} - found.keys())
        found |= dict.fromkeys(shell, distance)
    return found


def _neighbourhoods(
    near: list[dict[int, int]], labels: list[int], distance: dict[int, int]
) -> list[int]:
    """Hashes of the neighbourhoods of radius 0, 1, ..., as far as there are atoms."""
    atoms: list[list[int]] = [[] for _ in range(REACH + 1)]
    bonds: list[list[int]] = [[] for _ in range(REACH + 1)]
    for atom, d in distance.items():
        atoms[d].append(labels[atom])
        for other, order in near[atom].items():
            # Each bond once, at its nearer end.
            if (d, atom) < (distance.get(other, REACH + 1), other):
                bonds[d].append(order)
    result: list[int] = []
    code = 0
    for here, between in zip(atoms, bonds, strict=True):
        if not here:
            break
        code = hash((code, *sorted(here)))
        result.append(code)
        code = hash((code, *sorted(between)))
    return result
