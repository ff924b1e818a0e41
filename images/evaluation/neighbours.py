"""Nearest neighbours of samples: fidelity and variety in feature space, copies in pixel space.

A model that copies the training set has the best Frechet distance of all; `memorisation` tells it
apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from images.evaluation.metrics import checked

CHUNK = 250  # rows of a distance matrix held at once: 60 MB against 60,000 images
NEIGHBOURS = 5
"""The neighbour at whose distance the balls of `neighbourhoods` end."""


@dataclass(frozen=True)
class Neighbourhoods:
    """Fidelity and variety, see `neighbourhoods`."""

    precision: float
    recall: float
    density: float
    coverage: float


def neighbourhoods(real: Tensor, samples: Tensor, k: int = NEIGHBOURS) -> Neighbourhoods:
    """Compare two sets of features by the balls around each point up to its k-th neighbour.

    - precision: share of samples inside some real ball; recall: share of real points inside some
      sample ball (Kynkaanniemi et al. 2019).
    - density: mean number of real balls around a sample, over k, about 1 for equal distributions;
      coverage: share of real balls that hold a sample (Naeem et al. 2020), about
      1 - 2^-k for equal distributions and numbers.

    Args:
        real: (n, d) features.
        samples: (m, d) features.
        k: The neighbour at whose distance the ball ends, not counting the point itself.

    Raises:
        InputError: A set has at most k rows or values that are not finite.
    """
    real, samples = checked(real, k + 1).double(), checked(samples, k + 1).double()
    real_radii, sample_radii = _radii(real, k), _radii(samples, k)
    recalled = torch.zeros(len(real), dtype=torch.bool)
    covered = recalled.clone()
    balls = torch.zeros(len(samples))  # real balls around each sample
    for rows, squared in _squared_distances(samples, real):
        inside = squared < real_radii
        balls[rows] = inside.sum(1).float()
        covered |= inside.any(0)
        recalled |= (squared < sample_radii[rows, None]).any(0)
    return Neighbourhoods(
        precision=float((balls > 0).double().mean()),
        recall=float(recalled.double().mean()),
        density=float(balls.mean()) / k,
        coverage=float(covered.double().mean()),
    )


@dataclass(frozen=True)
class Memorisation:
    """Distance of samples to the nearest training image, compared with that of test images.

    Attributes:
        copies: Share of samples equal to a training image once both are rounded to bytes.
        close: Share of samples closer than all but one in a hundred test images; about .01 without
            copying.
        closer: Probability that a sample is closer than a test image; about .5 without copying, 1
            for copies. It is the Mann-Whitney statistic of the test of Meehan et al. (2020).
        median: Median distance of samples over that of test images; about 1 without copying.
        nearest: (n,) index of the training image nearest to each sample, to be looked at.
    """

    copies: float
    close: float
    closer: float
    median: float
    nearest: Tensor


def memorisation(samples: Tensor, train: Tensor, test: Tensor) -> Memorisation:
    """Look for copies of training images among samples, by Euclidean distance in pixel space.

    Samples that are blurred or too typical are closer to everything than real images are, so
    `closer` above .5 alone does not prove copying; look at the pairs, and at `close` and `copies`.

    Args:
        samples: (n, c, h, w) in [0, 1].
        train: (m, c, h, w) in [0, 1].
        test: (t, c, h, w) in [0, 1], images that the model has not seen.
    """
    distance, index = nearest(samples, train)
    unseen, _ = nearest(test, train)
    same = (samples * 255).round() == (train[index] * 255).round()
    order = unseen.sort().values
    below = torch.searchsorted(order, distance)
    up_to = torch.searchsorted(order, distance, right=True)
    beaten = len(test) - (below + up_to) / 2  # test images farther away, ties counting half
    return Memorisation(
        copies=float(same.flatten(1).all(1).double().mean()),
        close=float((distance < unseen.quantile(0.01)).double().mean()),
        closer=float(beaten.mean()) / len(test),
        median=float(distance.median() / unseen.median()),
        nearest=index,
    )


def nearest(queries: Tensor, references: Tensor) -> tuple[Tensor, Tensor]:
    """Nearest reference of each query.

    Args:
        queries: (n, ...) points of any shape.
        references: (m, ...) points of the same shape.

    Returns:
        Euclidean distances (n,), exactly 0 for equal points, and indices (n,) into `references`.
    """
    queries, references = checked(queries.flatten(1)), checked(references.flatten(1))
    index = torch.cat([each.argmin(1) for _, each in _squared_distances(queries, references)])
    # The expanded square cancels for near pairs, so the distance is taken from the difference.
    return (queries - references[index]).norm(dim=1), index


def _radii(features: Tensor, k: int) -> Tensor:
    """Squared distance (n,) of each row to its k-th neighbour; the row itself is its 0th."""
    every = _squared_distances(features, features)
    return torch.cat([squared.topk(k + 1, largest=False).values[:, k] for _, squared in every])


def _squared_distances(a: Tensor, b: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield slices of rows of the matrix (n, m) of |a_i - b_j|^2, with their place."""
    squares = b.square().sum(1)
    for start in range(0, len(a), CHUNK):
        rows = slice(start, start + CHUNK)
        inner = torch.addmm(squares, a[rows], b.T, alpha=-2)
        yield rows, inner.add_(a[rows].square().sum(1, keepdim=True))
