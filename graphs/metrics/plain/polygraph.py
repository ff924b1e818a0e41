"""The PolyGraph discrepancy (Krimmel et al., 2025, arXiv 2510.06122), by logistic regression.

A classifier learns, from half of the graphs, to tell generated graphs from test graphs by a
descriptor. Its log-likelihood on the other half bounds the Jensen-Shannon distance of the two laws
from below: 0 where nothing tells them apart, 1 where everything does. Of several descriptors the
one that separates best in cross-validation on the first half decides. The authors use TabPFN as
their classifier; that of their `LogisticRegression` is used here, which needs no download.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from refine_core.errors import InputError

Vector = NDArray[np.float64]
Halves = tuple[Vector, Vector]

FOLDS = 4
LEAST_GRAPHS = 2 * FOLDS  # on each side
LEAST = 1e-10  # added to probabilities, so that no logarithm is of zero


def discrepancy(vectors: Mapping[str, tuple[Vector, Vector]], seed: int = 0) -> dict[str, float]:
    """Return the discrepancy `pgd`, and by descriptor `pgd_<name>`, all in [0, 1].

    Args:
        vectors: By name, descriptors (n, d) of generated graphs and (m, e) of test graphs; the
            narrower ones are padded with zeros.
        seed: Of the halves and folds.

    Raises:
        InputError: There are fewer than eight graphs on a side.
    """
    least = min(len(part) for pair in vectors.values() for part in pair)
    if least < LEAST_GRAPHS:
        raise InputError(
            f"Found {least} graphs on a side, expected {LEAST_GRAPHS} or more, half of which "
            "train a classifier in four folds: give more."
        )
    found: dict[str, float] = {}
    learnt: dict[str, float] = {}
    for name, (generated, test) in vectors.items():
        width = max(generated.shape[1], test.shape[1])
        padded = [np.pad(x, ((0, 0), (0, width - x.shape[1]))) for x in (generated, test)]
        learnt[name], found[f"pgd_{name}"] = _separation(padded[0], padded[1], seed)
    best = max(learnt, key=lambda name: learnt[name])
    return {"pgd": found[f"pgd_{best}"], **found}


def _separation(generated: Vector, test: Vector, seed: int) -> tuple[float, float]:
    """Distances that a classifier reaches in cross-validation, and on the other half."""
    rng = np.random.default_rng(seed)
    halves = [np.array_split(x[rng.permutation(len(x))], 2) for x in (generated, test)]
    both = np.concatenate([half[0] for half in halves])
    spread = both.std(0)
    centre, scale = both.mean(0), np.where(spread > 0, spread, 1)
    (a, rest_a), (b, rest_b) = ([(x - centre) / scale for x in half] for half in halves)
    folds = [_distance(_fit(fit), held) for fit, held in _folds((a, b))]
    return float(np.mean(folds)), _distance(_fit((a, b)), (rest_a, rest_b))


def _folds(train: Halves) -> Iterator[tuple[Halves, Halves]]:
    """What is fitted and what is held out, in turn; each fold has its share of both sides."""
    for fold in range(FOLDS):
        inside = [np.arange(len(x)) % FOLDS != fold for x in train]
        fit = (train[0][inside[0]], train[1][inside[1]])
        yield fit, (train[0][~inside[0]], train[1][~inside[1]])


def _fit(sides: Halves) -> Vector:
    """Weights (d + 1,) of a logistic regression, whose squares are penalised by a half each."""
    x = np.concatenate(sides)
    x = np.concatenate([x, np.ones((len(x), 1))], 1)
    sign = np.concatenate([-np.ones(len(sides[0])), np.ones(len(sides[1]))])

    def loss(weight: Vector) -> tuple[float, Vector]:
        margin = sign * (x @ weight)
        slope = -(sign * expit(-margin)) @ x
        penalty = np.append(weight[:-1], 0.0)
        value = np.logaddexp(0, -margin).sum() + 0.5 * penalty @ penalty
        return float(value), slope + penalty

    fitted: Vector = minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B").x
    return fitted


def _distance(weight: Vector, sides: Halves) -> float:
    """The bound on the Jensen-Shannon distance, of graphs that were not fitted."""
    generated, test = (expit(x @ weight[:-1] + weight[-1]) for x in sides)
    bits = np.log2(test + LEAST).mean() + np.log2(1 - generated + LEAST).mean()
    return float(np.sqrt(np.clip(1 + bits / 2, 0, 1)))
