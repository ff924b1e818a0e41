"""Processes that read many molecules, or compute on them, one for each core."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from rdkit.rdBase import BlockLogs

from graphs.chem.fragments import cut
from graphs.chem.parser import ParseOptions, parse, sanitised
from refine_core.app.processes.workers import map_in_workers

CHUNK = 2000
Array = NDArray[Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Chunk:
    """The graphs of some texts in flat arrays, and the reasons why other texts became none.

    Args:
        places: (k,) places of the texts that became graphs.
        names: Names of nodes that occur.
        atoms: (nodes of all graphs,) int32 place of each node's name in `names`.
        atom_count: (k,) int64 nodes of each graph.
        ends: (edges of all graphs, 2) int32.
        bonds: (edges of all graphs,) uint8, 1 + place in `graphs.chem.labels.BONDS`.
        bond_count: (k,) int64.
        smiles: Canonical SMILES of the k graphs.
        skipped: Place of each other text, and the reason.
        dropped: From how many graphs each of `graphs.chem.parser.MARKS` was dropped.
        sites: (edges of all graphs, 2) uint8, where fragments are nodes; else None.
    """

    places: Array
    names: list[str]
    atoms: Array
    atom_count: Array
    ends: Array
    bonds: Array
    bond_count: Array
    smiles: list[str]
    skipped: list[tuple[int, str]]
    dropped: Counter[str]
    sites: Array | None = None


def parse_chunk(texts: Sequence[str], options: ParseOptions) -> Chunk:
    """Turn texts into graphs."""
    parsed = [parse(text, options) for text in texts]
    graphs = [graph for graph in parsed if not isinstance(graph, str)]
    bonds = np.array([bond for graph in graphs for bond in graph.bonds], np.int32).reshape(-1, 3)
    number: dict[str, int] = {}
    atoms = [number.setdefault(name, len(number)) for graph in graphs for name in graph.atoms]
    sites = [site for graph in graphs for site in graph.sites or ()]
    return Chunk(
        places=np.array([i for i, graph in enumerate(parsed) if not isinstance(graph, str)], int),
        names=list(number),
        atoms=np.array(atoms, np.int32),
        atom_count=np.array([len(graph.atoms) for graph in graphs], np.int64),
        ends=bonds[:, :2],
        bonds=bonds[:, 2].astype(np.uint8),
        bond_count=np.array([len(graph.bonds) for graph in graphs], np.int64),
        smiles=[graph.smiles for graph in graphs],
        skipped=[(i, reason) for i, reason in enumerate(parsed) if isinstance(reason, str)],
        dropped=Counter(name for graph in graphs for name in graph.dropped),
        sites=np.array(sites, np.uint8).reshape(-1, 2) if options.fragments else None,
    )


def cut_chunk(texts: Sequence[str]) -> list[list[str]]:
    """Names of the fragments of each molecule, none where a text is no molecule."""
    with BlockLogs():
        molecules = map(sanitised, texts)
        return [[] if isinstance(each, str) else cut(each).names for each in molecules]


def parse_all(
    texts: Sequence[str], options: ParseOptions, workers: int | None = None
) -> Iterator[tuple[int, Chunk]]:
    """Turn texts into graphs, chunk by chunk; see `map_chunks`.

    Args:
        texts: SMILES or mol blocks.
        options: How they become graphs.
        workers: Processes; one for each core when not given.
    """
    return map_chunks(texts, partial(parse_chunk, options=options), workers)


def map_chunks(
    texts: Sequence[str], work: Callable[[Sequence[str]], T], workers: int | None = None
) -> Iterator[tuple[int, T]]:
    """Apply a function to texts, chunk by chunk in their order.

    Args:
        texts: The texts.
        work: The function; it, the chunks and the results are pickled.
        workers: Processes; one for each core when not given. Few texts take none.

    Yields:
        Place of a chunk's first text, and its result.
    """
    starts = range(0, len(texts), CHUNK)
    chunks = (texts[start : start + CHUNK] for start in starts)
    many = 1 if len(starts) < 4 else workers or os.cpu_count() or 1
    yield from zip(starts, map_in_workers(work, chunks, len(starts), many), strict=True)
