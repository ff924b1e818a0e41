"""Summaries of lists of molecules, from which the distribution metrics are computed.

The test set of MOSES takes minutes to summarise, so summaries of reference sets are kept on disk,
under a name made of the list's content and the versions of what computed it.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graphs.chem.scores import BITS, PROPERTIES, RDKIT, scores, skeleton
from graphs.chem.workers import map_chunks
from graphs.metrics import fcd, nspdk
from refine_core.app.progress import Say, silent
from refine_core.storage.files import atomic_write, cached

Real = NDArray[np.float64]

FORMAT = 1  # of the file; to be raised whenever its meaning changes


@dataclass(frozen=True)
class Summary:
    """Statistics of a list of n molecules.

    Args:
        mean: (512,) of ChemNet's activations.
        covariance: (512, 512) of them.
        fingerprints: (n, 128) uint8, packed.
        properties: (n, 4), columns in the order of `graphs.chem.scores.PROPERTIES`.
        fragments: How often each BRICS fragment occurs.
        scaffolds: How many molecules have each scaffold of two rings or more.
        neighbourhoods: Mean features of `graphs.metrics.nspdk`.
    """

    mean: Real
    covariance: Real
    fingerprints: NDArray[np.uint8]
    properties: Real
    fragments: Counter[str]
    scaffolds: Counter[str]
    neighbourhoods: nspdk.Features


def summarise(smiles: Sequence[str], cache: Path | None = None, say: Say = silent) -> Summary:
    """Summarise valid molecules, 10,000 of QM9's size in a little over a minute of one core.

    Args:
        smiles: Canonical SMILES.
        cache: Folder of the cache; with None, it is computed in any case.
        say: Receives a line after every thousand molecules.
    """
    if cache is None:
        return _compute(smiles, say)
    content = "\n".join([f"format {FORMAT}, RDKit {RDKIT}", *smiles])
    path = cache / "graphs" / f"summary-{sha256(content.encode()).hexdigest()[:24]}.npz"
    return cached(path, _load, lambda new: _save(_compute(smiles, say), new))


def _compute(smiles: Sequence[str], say: Say) -> Summary:
    count = len(smiles)
    bits, properties = np.zeros((count, BITS // 8), np.uint8), np.zeros((count, len(PROPERTIES)))
    fragments: Counter[str] = Counter()
    scaffolds: Counter[str] = Counter()
    neighbourhoods: defaultdict[int, float] = defaultdict(float)
    for start, part in map_chunks(smiles, _score):
        end = start + len(part.bits)
        bits[start:end], properties[start:end] = part.bits, part.properties
        fragments.update(part.fragments)
        scaffolds.update(part.scaffolds)
        for feature, value in part.neighbourhoods.items():
            neighbourhoods[feature] += value / count
        say(f"scored {end} of {count} molecules")
    mean, covariance = fcd.moments(
        fcd.activations(smiles, lambda done: say(f"ChemNet has read {done} of {count} molecules"))
    )
    features = dict(neighbourhoods)
    return Summary(mean, covariance, bits, properties, fragments, scaffolds, features)


@dataclass(frozen=True)
class _Scored:
    """What a summary sums up or holds of some molecules, see `Summary`."""

    bits: NDArray[np.uint8]
    properties: Real
    fragments: Counter[str]
    scaffolds: Counter[str]
    neighbourhoods: nspdk.Features


def _score(smiles: Sequence[str]) -> _Scored:
    found = [scores(molecule) for molecule in smiles]
    return _Scored(
        np.stack([each.fingerprint for each in found]),
        np.array([[each.properties[name] for name in PROPERTIES] for each in found]),
        Counter(name for each in found for name in each.fragments.elements()),
        Counter(each.scaffold for each in found if each.scaffold),
        nspdk.sum_features(map(skeleton, smiles)),
    )


def _save(summary: Summary, path: Path) -> None:
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            mean=summary.mean,
            covariance=summary.covariance,
            fingerprints=summary.fingerprints,
            properties=summary.properties,
            # SMILES hold no line breaks, so one text holds them all.
            fragments=np.frombuffer("\n".join(summary.fragments).encode(), np.uint8),
            fragment_counts=np.array(list(summary.fragments.values()), np.int64),
            scaffolds=np.frombuffer("\n".join(summary.scaffolds).encode(), np.uint8),
            scaffold_counts=np.array(list(summary.scaffolds.values()), np.int64),
            features=np.array(list(summary.neighbourhoods), np.int64),
            values=np.array(list(summary.neighbourhoods.values()), np.float64),
        )


def _load(path: Path) -> Summary:
    with np.load(path) as arrays:
        return Summary(
            arrays["mean"],
            arrays["covariance"],
            arrays["fingerprints"],
            arrays["properties"],
            _counter(arrays["fragments"], arrays["fragment_counts"]),
            _counter(arrays["scaffolds"], arrays["scaffold_counts"]),
            dict(zip(arrays["features"].tolist(), arrays["values"].tolist(), strict=True)),
        )


def _counter(names: NDArray[np.uint8], counts: NDArray[np.int64]) -> Counter[str]:
    return Counter(dict(zip(names.tobytes().decode().splitlines(), counts.tolist(), strict=True)))
