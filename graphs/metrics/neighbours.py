"""The training molecules that molecules are most similar to."""

from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graphs.chem.scores import BITS, RDKIT, fingerprints
from graphs.chem.workers import map_chunks
from graphs.metrics.similarity import most_similar
from refine_core.app.progress import Say, silent
from refine_core.storage.files import atomic_write, cached


def nearest_molecules(
    smiles: Sequence[str],
    references: Sequence[str],
    cache: Path | None = None,
    say: Say = silent,
) -> list[tuple[str, float]]:
    """The most similar reference of each molecule, and the Tanimoto similarity of both.

    Similarity is that of Morgan fingerprints of radius 2 with 1,024 bits; a molecule that is a
    reference itself has that one.

    Args:
        smiles: Canonical SMILES.
        references: Canonical SMILES, such as training molecules; one at least.
        cache: Folder of the cache; with None fingerprints are computed in any case.
        say: Receives a line after every few thousand references.
    """
    known = set(references)
    bits = _kept(references, cache, say)
    rows, similarities = most_similar(fingerprints(smiles), bits)
    return [
        (text, 1.0) if text in known else (references[row], float(similarity))
        for text, row, similarity in zip(smiles, rows, similarities, strict=True)
    ]


def _kept(smiles: Sequence[str], cache: Path | None, say: Say) -> NDArray[np.uint8]:
    """Fingerprints (n, 128) of many molecules, from the cache if they are there."""
    if cache is None:
        return _computed(smiles, say)
    content = "\n".join([f"Morgan 2, {BITS} bits, RDKit {RDKIT}", *smiles])
    path = cache / "graphs" / f"fingerprints-{sha256(content.encode()).hexdigest()[:24]}.npy"

    def write(path: Path) -> None:
        with atomic_write(path) as temporary:
            np.save(temporary, _computed(smiles, say))

    return cached(path, partial(np.load, mmap_mode="r"), write)


def _computed(smiles: Sequence[str], say: Say) -> NDArray[np.uint8]:
    bits = np.zeros((len(smiles), BITS // 8), np.uint8)
    for start, part in map_chunks(smiles, fingerprints):
        bits[start : start + len(part)] = part
        say(f"read {start + len(part)} of {len(smiles)} training molecules")
    return bits
