"""Many molecules as one store of graphs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from graphs.chem.labels import BONDS, atom_name
from graphs.chem.parallel import Chunk, parse_all
from graphs.chem.reading import Reading
from graphs.graph import GraphBatch, Vocabulary
from graphs.store import GraphStore, Ragged, starts
from refine_core.errors import InputError
from refine_core.progress import Progress


@dataclass(frozen=True)
class Collected:
    """The texts that became graphs, and those that did not.

    Args:
        store: The graphs; its report counts what they have lost.
        kept: (n,) int64 places of their texts.
        skipped: Place of every other text, and the reason.
    """

    store: GraphStore
    kept: NDArray[np.int64]
    skipped: list[tuple[int, str]]


def collect_molecules(
    texts: Sequence[str], reading: Reading, *, workers: int | None = None, quiet: bool = False
) -> Collected:
    """Turn SMILES or mol blocks into graphs, on every core.

    Args:
        texts: The molecules.
        reading: How.
        workers: Processes; one for each core when not given.
        quiet: Whether to show no progress.
    """
    chunks: list[Chunk] = []
    kept: list[NDArray[Any]] = []
    skipped: list[tuple[int, str]] = []
    dropped: Counter[str] = Counter()
    with Progress("reading molecules", len(texts), quiet=quiet) as progress:
        for first, chunk in parse_all(texts, reading, workers):
            chunks.append(chunk)
            kept.append(first + chunk.kept)
            skipped += [(first + place, reason) for place, reason in chunk.skipped]
            dropped += chunk.dropped
            progress.update(first + len(chunk.kept) + len(chunk.skipped))
    report = {"kept": sum(map(len, kept)), "skipped": len(skipped), "dropped": dict(dropped)}
    vocabulary = reading.vocabulary or _vocabulary(chunks)
    store = GraphStore(_arrays(chunks, vocabulary), vocabulary, report=report)
    return Collected(store, np.concatenate([*kept, np.zeros(0, np.int64)]), skipped)


def _vocabulary(chunks: Sequence[Chunk]) -> Vocabulary:
    """The labels that occur: neutral atoms first, by element; bonds by order."""
    atoms = sorted({int(atom) for chunk in chunks for atom in np.unique(chunk.atoms)})
    bonds = sorted({int(bond) for chunk in chunks for bond in np.unique(chunk.bonds)})
    names = tuple(atom_name(atom) for atom in atoms)
    # Some sets, like the noble gases, have no bonds; a vocabulary always has some.
    return Vocabulary(names or ("C",), tuple(BONDS[bond - 1] for bond in bonds) or BONDS[:1])


def _arrays(chunks: Sequence[Chunk], vocabulary: Vocabulary) -> Ragged:
    """Join the chunks, with labels of the vocabulary."""
    atoms = _joined([chunk.atoms for chunk in chunks], np.uint32)
    numbers, inverse = np.unique(atoms, return_inverse=True)
    label = np.array([vocabulary.nodes.index(atom_name(int(number))) for number in numbers], int)
    bond = np.array([vocabulary.edges.index(b) + 1 if b in vocabulary.edges else 0 for b in BONDS])
    texts = [smiles.encode() for chunk in chunks for smiles in chunk.smiles]
    ends = _joined([chunk.ends for chunk in chunks], np.int32).reshape(-1, 2)
    return Ragged(
        node_start=starts(_joined([chunk.atom_count for chunk in chunks], np.int64)),
        nodes=label[inverse].astype(np.min_scalar_type(len(vocabulary.nodes))),
        edge_start=starts(_joined([chunk.bond_count for chunk in chunks], np.int64)),
        ends=ends.astype(np.min_scalar_type(int(ends.max(initial=0)))),
        edges=bond[_joined([chunk.bonds for chunk in chunks], np.uint8) - 1].astype(np.uint8),
        text_start=starts([len(text) for text in texts]),
        text=np.frombuffer(bytearray(b"".join(texts)), np.uint8),
    )


def _joined(parts: Sequence[NDArray[Any]], dtype: type) -> NDArray[Any]:
    """Concatenate, where there may be nothing to concatenate."""
    return np.concatenate(parts) if parts else np.zeros(0, dtype)


def reading_for(vocabulary: Vocabulary, limit: int = 200) -> Reading:
    """How a model with this vocabulary reads molecules."""
    return Reading(
        hydrogens="H" in vocabulary.nodes,
        aromatic="AROMATIC" in vocabulary.edges,
        limit=limit,
        vocabulary=vocabulary,
    )


def to_graphs(smiles: Sequence[str], vocabulary: Vocabulary, limit: int = 200) -> GraphBatch:
    """Turn a few molecules into a batch, e.g. a scaffold to extend.

    Raises:
        InputError: One of them is not a molecule, is larger than `limit`, or has an atom or bond
            outside the vocabulary.
    """
    found = collect_molecules(smiles, reading_for(vocabulary, limit), workers=1, quiet=True)
    if found.skipped:
        place, reason = found.skipped[0]
        raise InputError(f"{smiles[place]!r} cannot be used: {reason}; give another molecule.")
    return found.store[torch.arange(len(smiles))][0]
