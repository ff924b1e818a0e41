"""Test that the law of sampled graphs does not depend on the labels of nodes.

If it does not, relabelling every sampled graph at random, independently, changes nothing in law:
the statistics of the sample are one more draw among those of its relabellings. The share of
relabellings that are at least as extreme is therefore an exact p-value at any sample size,
whatever the statistics (randomisation test: Lehmann and Romano, Testing Statistical Hypotheses,
section 15.2). Several statistics are combined by the smallest of their p-values, whose own law
comes from the same relabellings (Westfall and Young, 1993), so that the level holds.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphs.data.batch import GraphBatch
from graphs.invariance.labelling_statistics import (
    STATISTICS,
    Floats,
    SameSize,
    by_size,
    read,
    relabelled_statistics,
    statistics,
)
from refine_core.errors import InputError

if TYPE_CHECKING:
    import networkx as nx

Sample = Callable[[int], "GraphBatch | Iterable[nx.Graph[Any]]"]


@dataclass(frozen=True)
class Exchangeability:
    """What the test found.

    Args:
        p_value: Probability of a sample as extreme under an exchangeable law.
        statistics: The p-value of each statistic, corrected for their number.
        power: Share of simulated samples rejected at `alpha`, which are exchangeable but for a
            share `leak` of the distinguishable graphs, whose nodes are sorted. NaN if it was not
            asked for, or if no graph is distinguishable.
        leak: See there.
        alpha: Level of the test.
        graphs: Count of sampled graphs.
        distinguishable: Count of those with more than one labelling. A complete graph of one
            label has one only, so no order of its nodes can leak.

    >>> import networkx as nx
    >>> from graphs.invariance import exchangeability_test
    >>> stars = [nx.star_graph(4)] * 300  # the centre always comes first
    >>> print(exchangeability_test(lambda seed: stars))
    p = 0.0005 over 300 graphs, smallest for degree by index; power 0.55 at level 0.01...
    """

    p_value: float
    statistics: dict[str, float]
    power: float
    leak: float
    alpha: float
    graphs: int
    distinguishable: int

    def __str__(self) -> str:
        if not self.distinguishable:
            return f"each of the {self.graphs} graphs has one labelling only, so none can leak"
        worst = min(self.statistics, key=self.statistics.__getitem__)
        return (
            f"p = {self.p_value:.3g} over {self.graphs} graphs, smallest for {worst}; power "
            f"{self.power:.2f} at level {self.alpha} against {self.leak:.0%} of the graphs with "
            "sorted nodes"
        )


class ExchangeabilityError(AssertionError):
    """A sampler that leaks the order of nodes.

    Args:
        report: What was found.
        message: What is wrong.

    >>> import networkx as nx
    >>> from graphs.invariance import ExchangeabilityError, assert_exchangeable
    >>> stars = [nx.star_graph(4)] * 300  # the centre always comes first
    >>> try:
    ...     assert_exchangeable(lambda seed: stars)
    ... except ExchangeabilityError as error:
    ...     print(error)
    The sampler leaks the order of nodes: p = 0.0005 over 300 graphs, smallest for degree...
    """

    def __init__(self, report: Exchangeability, message: str) -> None:
        super().__init__(message)
        self.report = report


class UndecidedError(ExchangeabilityError):
    """Too few samples to tell whether the order of nodes leaks.

    >>> import networkx as nx
    >>> from graphs.invariance import UndecidedError, assert_exchangeable
    >>> try:
    ...     assert_exchangeable(lambda seed: [nx.path_graph(3)] * 2)
    ... except UndecidedError as error:
    ...     print(error)
    Too few graphs to tell whether the sampler leaks the order of nodes: p = ... over 2 graphs...
    """


def exchangeability_test(
    sample: Sample,
    *,
    calls: int = 1,
    relabellings: int = 1999,
    alpha: float = 0.01,
    leak: float = 0.1,
    simulations: int = 100,
    seed: int = 0,
) -> Exchangeability:
    """Test whether a sampler's law is unchanged by relabelling nodes.

    Graphs are taken for independent samples. The statistics are, for each size of graphs, the
    degree by node index, the label by index, the edge by pair of indices (and label of edge), the
    trend of degree along indices and the distance of the indices of linked nodes.

    Args:
        sample: Samples graphs for a seed: a `GraphBatch`, or networkx graphs, whose nodes are
            taken in their order of iteration and whose attributes `label` are read.
        calls: Calls of `sample`, with seeds `seed`, `seed + 1`, ...
        relabellings: Random ones to compare with; the p-value is a multiple of
            `1 / (relabellings + 1)`.
        alpha: Level at which to compute the power.
        leak: Share of graphs whose nodes are sorted in the alternative that the power is computed
            for: by degree, or where all nodes have one degree, by label or by distance.
        simulations: Simulated samples for the power; with none, it is NaN.
        seed: Seed of samples and relabellings.

    Raises:
        InputError: The relabellings are too few for `alpha`, or no graph has two nodes.

    >>> import torch
    >>> stars = torch.zeros(300, 6, 6, dtype=torch.int64)
    >>> stars[:, 0, 1:] = stars[:, 1:, 0] = 1  # node 0 is always the centre
    >>> batch = GraphBatch(torch.zeros(300, 6).long(), stars, torch.ones(300, 6).bool())
    >>> result = exchangeability_test(lambda seed: batch, leak=0.2)
    >>> result.p_value <= 0.01, result.power > 0.9
    (True, True)
    """
    if relabellings + 1 < 1 / alpha:
        raise InputError(
            f"{relabellings} relabellings cannot give a p-value of {alpha} or less, expected at "
            f"least {int(np.ceil(1 / alpha)) - 1}: raise relabellings."
        )
    graphs = [graph for call in range(calls) for graph in read(sample(seed + call))]
    parts, random = by_size(graphs), np.random.default_rng(seed)
    if not parts:
        raise InputError(
            f"None of the {len(graphs)} sampled graphs has two nodes: sample larger ones."
        )
    as_sampled = [
        np.broadcast_to(np.arange(part.labels.shape[1]), (1, *part.labels.shape)) for part in parts
    ]
    null = relabelled_statistics(parts, relabellings, random)
    adjusted = _p_values(statistics(parts, as_sampled)[0], null)
    distinguishable = sum(int(part.distinguishable.sum()) for part in parts)
    # Relabelled graphs share their relabellings, so the alternatives need none of their own.
    detected = [
        _p_values(_leaking(parts, leak, random), null).min() <= alpha
        for _ in range(simulations if distinguishable else 0)
    ]
    return Exchangeability(
        p_value=float(adjusted.min()),
        statistics=dict(zip(STATISTICS, adjusted.tolist(), strict=True)),
        power=float(np.mean(detected)) if detected else np.nan,
        leak=leak,
        alpha=alpha,
        graphs=len(graphs),
        distinguishable=distinguishable,
    )


def assert_exchangeable(
    sample: Sample,
    *,
    calls: int = 1,
    relabellings: int = 1999,
    alpha: float = 0.01,
    leak: float = 0.1,
    power: float = 0.8,
    seed: int = 0,
) -> Exchangeability:
    """Assert that a sampler leaks no order of nodes.

    Args:
        sample: See `exchangeability_test`, as for the other arguments.
        calls: Calls of it.
        relabellings: Random ones to compare with.
        alpha: Probability of failing an exchangeable sampler.
        leak: Share of graphs with sorted nodes that has to be detected.
        power: With this probability at least.
        seed: Seed of samples and relabellings.

    Raises:
        ExchangeabilityError: An AssertionError; the law depends on labels.
        UndecidedError: One of these; the graphs are too few for the power.
        InputError: As `exchangeability_test`.

    >>> import networkx as nx
    >>> from graphs.invariance import assert_exchangeable
    >>> def sample(seed):
    ...     return [nx.gnp_random_graph(6, 0.5, seed=300 * seed + k) for k in range(300)]
    >>> found = assert_exchangeable(sample, leak=0.3)
    >>> found.graphs, found.p_value > 0.01, found.power > 0.8
    (300, True, True)
    """
    result = exchangeability_test(
        sample, calls=calls, relabellings=relabellings, alpha=alpha, leak=leak, seed=seed
    )
    if result.p_value <= alpha:
        raise ExchangeabilityError(result, f"The sampler leaks the order of nodes: {result}.")
    if result.power < power:  # false for NaN, where nothing can leak
        raise UndecidedError(
            result,
            f"Too few graphs to tell whether the sampler leaks the order of nodes: {result}, "
            f"expected a power of {power}; sample more.",
        )
    return result


def _leaking(parts: list[SameSize], leak: float, random: np.random.Generator) -> Floats:
    """(5,) statistics where the nodes of a share of the distinguishable graphs are sorted."""
    able = np.concatenate([part.distinguishable for part in parts])
    rank = np.where(able, random.random(len(able)), 2).argsort().argsort()
    chosen = rank < round(leak * int(able.sum()))
    at = np.cumsum([0, *(len(part.labels) for part in parts)])
    sorted_ = [
        part.sorted(chosen[a:b], random) for part, a, b in zip(parts, at[:-1], at[1:], strict=True)
    ]
    found: Floats = statistics(parts, sorted_)[0]
    return found


def _p_values(tested: Floats, null: Floats) -> Floats:
    """(5,) p-values of the tested statistics (5,), corrected for their number.

    Args:
        tested: Statistics of the sample.
        null: (relabellings, 5) statistics of its relabellings.
    """
    rows = np.concatenate([tested[None], null])
    below = np.stack([np.searchsorted(np.sort(column), column) for column in rows.T], 1)
    alone = 1 - below / len(rows)
    least = alone.min(1)
    return np.array([(least <= p).mean() for p in alone[0]])
