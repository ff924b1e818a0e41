"""Scores of generated graphs without labels: distances from test graphs, valid shares."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np

from graphs.metrics.plain import polygraph
from graphs.metrics.plain.adjacency import Adjacency, Graphs, adjacencies, connected, to_networkx
from graphs.metrics.plain.isomorphism import colour_key, isomorphic, isomorphism_classes
from graphs.metrics.plain.mmd import BANDWIDTH, Kernel, Vector, describe, distances
from graphs.metrics.plain.sbm import is_sbm
from refine_core.app.progress import Say, silent
from refine_core.errors import InputError, suggest

Kind = Literal["planar", "tree", "sbm", "lobster", "grid"]


def evaluate_graphs(
    graphs: Graphs,
    train: Graphs,
    test: Graphs,
    kind: Kind | None = None,
    *,
    kernel: Kernel = "tv",
    reference: Graphs | None = None,
    say: Say = silent,
) -> dict[str, float]:
    """Compare generated graphs with test graphs, and training graphs with test graphs.

    Labels, weights and loops are ignored. The keys of the result, by `name` in degree,
    clustering, orbit, spectral and wavelet (`graphs.metrics.plain.descriptors`):

    - `name`: squared MMD of generated against test graphs, `graphs.metrics.plain.mmd.distance`
      with `kernel`; graphs without nodes are left out, as published.
    - `name_train`: the same of training graphs (`reference`) against test graphs.
    - `name_ratio`: `name` over `name_train`; at 1, generated graphs are as near to the test graphs
      as training graphs are. The estimator's bias falls with the number of graphs, so ratios
      compare only between equal numbers of generated graphs.
    - `ratio`: mean of the ratios defined, as DiGress and its successors tabulate. Trees have no
      clustering, and so no ratio of it.
    - `pgd`, `pgd_name`: the PolyGraph discrepancy (`graphs.metrics.plain.polygraph`) by degree,
      clustering, orbit and spectral, in [0, 1]; of eight graphs and more on both sides.
    - `unique`: share of generated graphs that no earlier one is isomorphic to.
    - `novel`: share that no training graph is isomorphic to.
    - `valid` and `vun`, if `kind` is given: share that passes `is_valid`, and share that is valid,
      the first of its class, and novel.
    - `graphs`, `train`, `test`: how many there are of each.

    Args:
        graphs: Generated graphs: a padded batch, networkx graphs or adjacency matrices.
        train: Training graphs.
        test: Test graphs.
        kind: The kind of graph whose validity is checked.
        kernel: "tv" for planar, tree and SBM graphs, "emd" for ego and community graphs.
        reference: Training graphs that are compared with test graphs; by default all.
        say: Receives a line about each stage.

    Raises:
        InputError: A collection is empty, a graph is directed, or `kind` is unknown.
    """
    if kind is not None and kind not in VALID:
        known = ", ".join(VALID)
        raise InputError(
            f"Validity is not defined for graphs of kind '{kind}'; choose one of {known}, or None."
            f"{suggest(kind, list(VALID))}"
        )
    generated, trained_on, held_out = (adjacencies(part) for part in (graphs, train, test))
    if not (generated and trained_on and held_out):
        raise InputError(
            f"Found {len(generated)} generated, {len(trained_on)} training and {len(held_out)} "
            "test graphs; give at least one of each."
        )
    compared = trained_on if reference is None else adjacencies(reference)
    say("describing")
    vectors = {
        name: (describe(generated, name), describe(compared, name), describe(held_out, name))
        for name in BANDWIDTH
    }
    report = distances(vectors, kernel, say) | _discrepancies(vectors)
    report |= _shares(generated, trained_on, kind, say)
    return report | {"graphs": len(generated), "train": len(trained_on), "test": len(held_out)}


def _discrepancies(vectors: Mapping[str, tuple[Vector, Vector, Vector]]) -> dict[str, float]:
    """The PolyGraph discrepancies of generated and of training graphs from test graphs."""
    names = [name for name in vectors if name != "wavelet"]
    generated, train = (
        {name: (vectors[name][side], vectors[name][2]) for name in names} for side in (0, 1)
    )
    if min(map(len, vectors["degree"])) < polygraph.LEAST_GRAPHS:
        return {}
    reached = {f"{k}_train": v for k, v in polygraph.discrepancy(train).items()}
    return polygraph.discrepancy(generated) | reached


def is_valid(adjacency: Adjacency, kind: Kind) -> bool:
    """Tell whether a graph (n, n) is of a kind.

    planar: connected and planar. tree: connected without cycles. sbm: `graphs.metrics.plain.sbm`.
    lobster: a tree that is a path once its leaves are removed twice. grid: a rectangular lattice
    with sides of at least 2.
    """
    return VALID[kind](adjacency)


def _shares(
    graphs: Sequence[Adjacency],
    train: Sequence[Adjacency],
    kind: Kind | None,
    say: Say,
) -> dict[str, float]:
    """Shares of unique and of novel graphs, and of valid ones if the kind is given."""
    say("looking for isomorphic graphs")
    numbers = isomorphism_classes([*train, *graphs], colour_key, isomorphic)
    known, generated = set(numbers[: len(train)]), numbers[len(train) :]
    unique = np.array([number not in generated[:i] for i, number in enumerate(generated)])
    novel = np.array([number not in known for number in generated])
    report = {"unique": float(unique.mean()), "novel": float(novel.mean())}
    if kind is None:
        return report
    say(f"checking that graphs are of kind {kind}")
    valid = np.array([is_valid(graph, kind) for graph in graphs])
    return {"valid": float(valid.mean()), **report, "vun": float((valid & unique & novel).mean())}


def _tree(adjacency: Adjacency) -> bool:
    return connected(adjacency) and int(adjacency.sum()) == 2 * (len(adjacency) - 1)


def _planar(adjacency: Adjacency) -> bool:
    import networkx as nx

    return connected(adjacency) and bool(nx.check_planarity(to_networkx(adjacency))[0])


def _lobster(adjacency: Adjacency) -> bool:
    core = adjacency
    for _ in range(2):
        keep = core.sum(1) != 1
        core = core[np.ix_(keep, keep)]
    return _tree(adjacency) and (not len(core) or int(core.sum(1).max()) <= 2)


def _grid(adjacency: Adjacency) -> bool:
    return any(
        isomorphic(adjacency, _lattice(side, len(adjacency) // side))
        for side in range(2, int(len(adjacency) ** 0.5) + 1)
        if len(adjacency) % side == 0
    )


def _lattice(rows: int, columns: int) -> Adjacency:
    place = np.stack(np.divmod(np.arange(rows * columns), columns), 1)
    result: Adjacency = np.abs(place[:, None] - place[None]).sum(2) == 1
    return result


VALID: dict[str, Callable[[Adjacency], bool]] = {
    "planar": _planar,
    "tree": _tree,
    "sbm": is_sbm,
    "lobster": _lobster,
    "grid": _grid,
}
