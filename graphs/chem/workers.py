"""Processes that read many molecules, or compute on them, one for each core.

Workers are fresh interpreters that are given texts and return arrays, so a script that reads
molecules needs no guard against being run again by its own workers.
"""

import os
import pickle
import signal
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from rdkit.rdBase import BlockLogs

from graphs.chem.fragments import cut
from graphs.chem.parser import ParseOptions, parse, sanitised

CHUNK = 2000
Array = NDArray[Any]
Worker = subprocess.Popen[bytes]
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
    workers = min(workers or os.cpu_count() or 1, len(starts))
    if workers < 2 or len(starts) < 4:
        yield from ((i, work(texts[i : i + CHUNK])) for i in starts)
        return
    with _workers(workers, work) as free, ThreadPoolExecutor(workers) as threads:
        waiting: deque[tuple[int, Future[T]]] = deque()
        for i in starts:
            waiting.append((i, threads.submit(_ask, free, texts[i : i + CHUNK])))
            if len(waiting) > 2 * workers:
                first, future = waiting.popleft()
                yield first, future.result()
        yield from ((first, future.result()) for first, future in waiting)


@contextmanager
def _workers(count: int, work: Callable[[Sequence[str]], object]) -> Iterator[SimpleQueue[Worker]]:
    """Start workers and put them into a queue of free ones; stop them at the end."""
    command = [sys.executable, "-c", "from graphs.chem.workers import serve; serve()"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    pipe = subprocess.PIPE
    started = [
        subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment) for _ in range(count)
    ]
    free: SimpleQueue[Worker] = SimpleQueue()
    try:
        for worker in started:
            _send(worker, work)
            free.put(worker)
        yield free
    finally:
        for worker in started:
            worker.kill()
            worker.communicate()


def _ask(free: SimpleQueue[Worker], texts: Sequence[str]) -> Any:
    """Send texts to a free worker and wait for its result."""
    worker = free.get()
    try:
        _send(worker, texts)
        assert worker.stdout is not None
        return pickle.load(worker.stdout)
    finally:
        free.put(worker)


def _send(worker: Worker, value: object) -> None:
    assert worker.stdin is not None
    pickle.dump(value, worker.stdin)
    worker.stdin.flush()


def serve() -> None:
    """Read texts from standard input and write results to standard output until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops its workers
    work = pickle.load(sys.stdin.buffer)
    while True:
        try:
            texts = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(work(texts), sys.stdout.buffer)
        sys.stdout.buffer.flush()
