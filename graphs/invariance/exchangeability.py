"""Test that the law of what a sampler draws does not depend on the labels of nodes.

If it does not, then relabelling every sampled graph at random, independently, changes nothing in
law: the statistics of the sample as drawn are one more draw among those of its relabellings. The
share of relabellings that are at least as extreme is therefore an exact p-value at any sample
size, whatever the statistics (randomisation test: Lehmann and Romano, Testing Statistical
Hypotheses, section 15.2). Several statistics are combined by the smallest of their p-values, whose
own law comes from the same relabellings (Westfall and Young, 1993), so that the level holds.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphs.data.batch import GraphBatch
from graphs.invariance.labelling_statistics import (
    STATISTICS,
    Floats,
    Group,
    groups,
    read,
    statistics,
)
from refine_core.errors import InputError

Sample = Callable[[int], GraphBatch | Iterable[Any]]


@dataclass(frozen=True)
class Exchangeability:
    """What the test found.

    Args:
        p_value: Probability of a sample as extreme under an exchangeable law.
        statistics: The p-value of each statistic, corrected for their number.
        power: Share of simulated samples rejected at `alpha`, in which the nodes of a share `leak`
            of the graphs are sorted by degree, and all else is exchangeable.
        leak: See there.
        alpha: Level of the test.
        graphs: Count of graphs drawn.
    """

    p_value: float
    statistics: dict[str, float]
    power: float
    leak: float
    alpha: float
    graphs: int

    def __str__(self) -> str:
        worst = min(self.statistics, key=self.statistics.__getitem__)
        return (
            f"p = {self.p_value:.3g} over {self.graphs} graphs, most of all by {worst}; power "
            f"{self.power:.2f} at level {self.alpha} against {self.leak:.0%} of the graphs sorted "
            "by degree"
        )


class ExchangeabilityError(AssertionError):
    """A sampler that leaks the order of nodes, or of which too little was seen.

    Args:
        report: What was found.
        message: What is wrong.
    """

    def __init__(self, report: Exchangeability, message: str) -> None:
        super().__init__(message)
        self.report = report


def exchangeability_test(
    sample: Sample,
    *,
    draws: int = 1,
    relabellings: int = 1999,
    alpha: float = 0.01,
    leak: float = 0.1,
    simulations: int = 100,
    seed: int = 0,
) -> Exchangeability:
    """Test whether a sampler's law is unchanged by relabelling nodes.

    Graphs are taken for independent draws. Statistics, per graph size: degree by node index, label
    by index, edge by pair of indices (and label of edge), the trend of degree along indices and
    the distance of the indices of linked nodes.

    Args:
        sample: Draws graphs for a seed: a `GraphBatch`, or networkx graphs, whose nodes are taken
            in their order of iteration and whose attributes `label` are read.
        draws: Calls of `sample`, with seeds `seed`, `seed + 1`, ...
        relabellings: Random ones to compare with; the p-value is a multiple of
            `1 / (relabellings + 1)`.
        alpha: Level at which to tell the power.
        leak: Share of graphs sorted by degree in the alternative that the power is told for.
        simulations: Simulated samples for it; with none, the power is NaN.
        seed: Of draws and relabellings.

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
    graphs = [graph for call in range(draws) for graph in read(sample(seed + call))]
    parts, random = groups(graphs), np.random.default_rng(seed)
    if not parts:
        raise InputError(
            f"None of the {len(graphs)} sampled graphs has two nodes: sample larger ones."
        )
    drawn = [np.broadcast_to(np.arange(p.labels.shape[1]), p.labels.shape) for p in parts]
    null = np.stack(
        [statistics(parts, [part.shuffled(random) for part in parts]) for _ in range(relabellings)]
    )
    adjusted = _p_values(statistics(parts, drawn), null)
    # Relabelled graphs share their relabellings, so the alternatives need none of their own.
    detected = [
        _p_values(_leaking(parts, leak, random), null).min() <= alpha for _ in range(simulations)
    ]
    return Exchangeability(
        p_value=float(adjusted.min()),
        statistics=dict(zip(STATISTICS, adjusted.tolist(), strict=True)),
        power=float(np.mean(detected)) if detected else np.nan,
        leak=leak,
        alpha=alpha,
        graphs=len(graphs),
    )


def assert_exchangeable(
    sample: Sample,
    *,
    draws: int = 1,
    relabellings: int = 1999,
    alpha: float = 0.01,
    leak: float = 0.1,
    power: float = 0.8,
    seed: int = 0,
) -> Exchangeability:
    """Assert that a sampler leaks no order of nodes.

    Args:
        sample: See `exchangeability_test`, as for the rest.
        draws: Calls of it.
        relabellings: To compare with.
        alpha: Probability of failing an exchangeable sampler.
        leak: Share of graphs sorted by degree that has to be detected.
        power: With this probability at least; else there are too few graphs to tell.
        seed: Of draws and relabellings.

    Raises:
        ExchangeabilityError: An AssertionError; the law depends on labels, or the power is lower.
        InputError: As `exchangeability_test`.
    """
    result = exchangeability_test(
        sample, draws=draws, relabellings=relabellings, alpha=alpha, leak=leak, seed=seed
    )
    if result.p_value <= alpha:
        raise ExchangeabilityError(result, f"The sampler leaks the order of nodes: {result}.")
    if result.power < power:
        raise ExchangeabilityError(
            result,
            f"Too few graphs to tell whether the sampler leaks the order of nodes: {result}, "
            f"expected a power of {power}; sample more.",
        )
    return result


def _leaking(parts: list[Group], leak: float, random: np.random.Generator) -> Floats:
    """Statistics where a share of the graphs is sorted by degree."""
    count = sum(len(part.labels) for part in parts)
    chosen = random.permutation(count) < round(leak * count)
    at = np.cumsum([0, *(len(part.labels) for part in parts)])
    ranks = [
        part.ranked(chosen[a:b], random) for part, a, b in zip(parts, at[:-1], at[1:], strict=True)
    ]
    return statistics(parts, ranks)


def _p_values(tested: Floats, null: Floats) -> Floats:
    """(5,) p-values of the tested statistics (5,), corrected for their number.

    Args:
        tested: Statistics to be judged.
        null: (relabellings, 5) those to compare with.
    """
    rows = np.concatenate([tested[None], null])
    below = np.stack([np.searchsorted(np.sort(column), column) for column in rows.T], 1)
    alone = 1 - below / len(rows)
    least = alone.min(1)
    return np.array([(least <= p).mean() for p in alone[0]])
