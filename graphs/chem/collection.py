"""Collections of molecules as a store of graphs, written to disk while they are read."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray

from graphs.chem.fragments import Fragment, is_atom
from graphs.chem.labels import BONDS, atom_order
from graphs.chem.parser import ParseOptions
from graphs.chem.smiles import is_connected
from graphs.chem.workers import Chunk, parse_all
from graphs.data.batch import GraphBatch, Vocabulary
from graphs.data.disk_array import DiskArray, DiskStrings
from graphs.data.store import GraphStore, Ragged, Report, starts
from refine_core.app.progress import Progress
from refine_core.errors import InputError


@dataclass(frozen=True)
class Collected:
    """Molecules that became graphs, and the texts that did not.

    Args:
        store: The graphs; its report counts what was dropped from them.
        places: (n,) int64 places of their texts among all.
        skipped: Place of every other text, and the reason why it is no graph.
    """

    store: GraphStore
    places: NDArray[np.int64]
    skipped: list[tuple[int, str]]


def collect_molecules(
    texts: Sequence[str], options: ParseOptions, *, workers: int | None = None, quiet: bool = False
) -> Collected:
    """Turn SMILES or mol blocks into graphs, on every core.

    Args:
        texts: The molecules.
        options: How they become graphs.
        workers: Processes; one for each core when not given.
        quiet: Whether to show no progress.
    """
    arrays = _GrowingArrays(options)
    skipped: list[tuple[int, str]] = []
    dropped: Counter[str] = Counter()
    pieces = 0
    with Progress("reading molecules", len(texts), quiet=quiet) as progress:
        for first, chunk in parse_all(texts, options, workers):
            arrays.add(first, chunk)
            skipped += [(first + place, reason) for place, reason in chunk.skipped]
            dropped += chunk.dropped
            pieces += sum(not is_connected(text) for text in chunk.smiles)
            progress.update(first + len(chunk.places) + len(chunk.skipped))
    kept = np.array(arrays.places.array())
    report: Report = {"kept": len(kept), "skipped": len(skipped), "dropped": dict(dropped)}
    if pieces:
        report["in several pieces"] = pieces
    vocabulary = options.vocabulary or arrays.vocabulary()
    store = GraphStore(arrays.ragged(vocabulary), vocabulary, report=report)
    return Collected(store, kept, skipped)


class _GrowingArrays:
    """The flat arrays of a store to which molecules are appended.

    Args:
        options: Options of the molecules, which bound what the arrays hold.
    """

    def __init__(self, options: ParseOptions) -> None:
        self.fragments = options.fragments
        self.places, self.texts = DiskArray(np.int64), DiskStrings()
        self.sizes, self.counts = DiskArray(np.int32), DiskArray(np.int32)
        # Labels are numbered as they are met; their order is known when all molecules are read.
        self.atoms, self.bonds = DiskArray(np.uint16), DiskArray(np.uint8)
        self.ends = DiskArray(np.min_scalar_type(max(options.limit, 1) - 1))
        self.sites = DiskArray(np.uint8) if options.fragments else None
        self.numbers: dict[str, int] = {}
        self.orders: set[int] = set()

    def add(self, first: int, chunk: Chunk) -> None:
        """Append the graphs of a chunk whose first text is number `first`."""
        places = [self.numbers.setdefault(name, len(self.numbers)) for name in chunk.names]
        self.atoms.extend(np.array(places, np.int64)[chunk.atoms])
        self.orders |= set(np.unique(chunk.bonds).tolist())
        self.places.extend(first + chunk.places)
        self.sizes.extend(chunk.atom_count)
        self.counts.extend(chunk.bond_count)
        self.ends.extend(chunk.ends)
        self.bonds.extend(chunk.bonds)
        if self.sites is not None:
            assert chunk.sites is not None
            self.sites.extend(chunk.sites)
        for text in chunk.smiles:
            self.texts.append(text)

    def vocabulary(self) -> Vocabulary:
        """The labels that occur: atoms by charge and element, fragments as asked for; bonds."""
        # Atoms of fragments are labels too, so that fragments of other molecules can come apart.
        found = {atom for name in self.numbers for atom in Fragment.named(name).atoms}
        atoms = sorted(found, key=atom_order)
        names = (*atoms, *(name for name in self.fragments if name in self.numbers))
        # Some sets, like the noble gases, have no bonds; a vocabulary always has some.
        # Fragments that are not in the vocabulary have bonds of every order.
        orders = self.orders | ({1, 2, 3} if self.fragments else set())
        bonds = tuple(BONDS[bond - 1] for bond in sorted(orders))
        return Vocabulary(names or ("C",), bonds or BONDS[:1])

    def ragged(self, vocabulary: Vocabulary) -> Ragged:
        """The arrays, with labels numbered as in the vocabulary."""
        label = {name: number for number, name in enumerate(vocabulary.nodes)}
        labels = [label[name] for name in self.numbers]
        orders = [vocabulary.edges.index(b) + 1 if b in vocabulary.edges else 0 for b in BONDS]
        text_start, text = self.texts.flat()
        return Ragged(
            node_start=starts(self.sizes.array()),
            nodes=_renumbered(self.atoms, labels, np.min_scalar_type(len(vocabulary.nodes))),
            edge_start=starts(self.counts.array()),
            ends=self.ends.array().reshape(-1, 2),
            edges=_renumbered(self.bonds, [0, *orders], np.uint8),
            text_start=text_start,
            text=text,
            sites=None if self.sites is None else self.sites.array().reshape(-1, 2),
        )


def _renumbered(array: DiskArray, numbers: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
    """Replace item k of an array by `numbers[k]`, a million at a time."""
    table, result, old = np.array(numbers, np.int64), DiskArray(dtype), array.array()
    for start in range(0, len(old), 10**6):
        result.extend(table[old[start : start + 10**6]])
    return result.array()


def parse_options(
    vocabulary: Vocabulary, limit: int = 200, options: ParseOptions | None = None
) -> ParseOptions:
    """Options that give graphs with labels of a model's vocabulary, else as `options`."""
    return replace(
        options or ParseOptions(),
        mined=0,
        hydrogens="H" in vocabulary.nodes,
        aromatic="AROMATIC" in vocabulary.edges,
        fragments=tuple(name for name in vocabulary.nodes if not is_atom(name)),
        limit=limit,
        vocabulary=vocabulary,
    )


def to_graphs(
    molecules: Sequence[str],
    vocabulary: Vocabulary,
    limit: int = 200,
    shown: Sequence[str] | None = None,
) -> GraphBatch:
    """Turn a few molecules into a batch, e.g. a scaffold to extend.

    Args:
        molecules: SMILES or mol blocks.
        vocabulary: Labels accepted.
        limit: Largest number of nodes accepted.
        shown: What messages call them; by default as they are.

    Raises:
        InputError: One of them is not a molecule, is larger than `limit`, or has an atom or bond
            outside the vocabulary.
    """
    found = collect_molecules(molecules, parse_options(vocabulary, limit), workers=1, quiet=True)
    if found.skipped:
        place, reason = found.skipped[0]
        name = (shown or molecules)[place]
        raise InputError(f"{name!r} cannot be used: {reason}; give another molecule.")
    return found.store[torch.arange(len(molecules))][0]
