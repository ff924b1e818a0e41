"""The residual energy of graphs: what tells data from a model's samples, and makes up for it.

    p(x) ~ p_model(x) exp(-E(x)),    -E(x) = sum_s w_s n_s(x)

n_s counts the circular substructures of a molecule, atoms with all that is up to two bonds away
(Rogers and Hahn, 2010), and of other graphs their `graphs.metrics.local_structure`. w are the
weights of a logistic regression of data against samples, so that -E estimates
log p_data - log p_model: noise-contrastive estimation whose noise is the model (Gutmann and
Hyvarinen, 2010), a residual energy-based model (Deng et al., 2020, arXiv 2004.11714).

What stands beside what is drawn independently within a scale, and so comes out wrong; these counts
see it. Samples follow p by rejection: a draw is kept with the chance min(1, exp(-E - c)), and
others are drawn until one is. c sets how many that takes, and the more, the nearer p is met.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from graphs.data.sparse_counts import Counts
from refine_core.app.processes.threads import one_thread
from refine_core.app.progress import Say, silent
from refine_core.errors import InputError

if TYPE_CHECKING:
    import networkx as nx

RADIUS, SIZE = 2, 2**16
"""Bonds that a substructure reaches, and places that substructures are folded into."""
PENALTIES = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3)
"""Of the squared weights; that which gains most on graphs held out is chosen."""
HELD_OUT, QUANTILES = 0.2, 256
"""Share of graphs that are held out, and quantiles that a law of weights is kept by."""
FEW = 5000
"""Below so many graphs of the data, each is held out once; above, the last ones are."""
LEAST = 100
"""Graphs of each kind that a fit takes at least."""

Real = NDArray[np.float64]
Things: TypeAlias = "Sequence[str] | Sequence[nx.Graph[Any]]"
"""Valid SMILES, or graphs of networkx."""


class ResidualEnergy(nn.Module):
    """Weights of molecules or graphs, as those of `graphs.scoring.Score`.

    Args:
        log_odds: (SIZE,) of substructures; by default zeros.
        quantiles: (QUANTILES,) of -E of the model's draws, ascending; by default zeros.

    >>> table = torch.zeros(SIZE)
    >>> ResidualEnergy(table)(["CCO", "c1ccccc1"])
    [0.0, 0.0]
    """

    log_odds: Tensor
    quantiles: Tensor

    def __init__(self, log_odds: Tensor | None = None, quantiles: Tensor | None = None) -> None:
        super().__init__()
        for name, given, size in (
            ("log_odds", log_odds, SIZE),
            ("quantiles", quantiles, QUANTILES),
        ):
            self.register_buffer(name, torch.zeros(size) if given is None else given)

    def forward(self, things: Things) -> list[float]:
        """-E of valid molecules or graphs, in nats."""
        table = self.log_odds.double().cpu().numpy()
        return np.asarray(_counts(things).dot(table)).tolist()  # type: ignore[no-any-return]

    def bound(self, draws: float) -> float:
        """The bound c, in nats, with which a sample takes so many draws on average."""
        return bound(self.quantiles.double().cpu().numpy(), draws)


@dataclass(frozen=True)
class EnergyFit:
    """A fitted energy, and what it gains on graphs that were held out.

    Args:
        energy: The energy.
        penalty: That was chosen.
        nats: Log-probability that a graph of the data gains; the logarithm of the draws at most.
    """

    energy: ResidualEnergy
    penalty: float
    nats: float


def fit(data: Things, drawn: Things, draws: float = 2, say: Say = silent) -> EnergyFit:
    """Fit an energy to graphs of the data and those that a model drew; both kinds weigh the same.

    Args:
        data: In random order.
        drawn: As many or more, in random order.
        draws: That a sample will take on average.
        say: Receives a line about each penalty.

    Raises:
        InputError: There are fewer than `LEAST` of either.
    """
    if min(len(data), len(drawn)) < LEAST:
        raise InputError(
            f"Found {len(data)} graphs of the data and {len(drawn)} valid ones of the model, "
            f"an energy takes {LEAST} of each: give more, or train the model for longer."
        )
    with one_thread():  # rounding depends on their number
        return _fit(_counts(data), _counts(drawn), draws, say)


def _fit(real: Counts, made: Counts, draws: float, say: Say) -> EnergyFit:
    gains, unseen, once = {}, {}, real.shape[0] > FEW
    for penalty in PENALTIES:
        folds, odds = [], []
        for data, drawn in zip(_folds(real, once), _folds(made, once), strict=True):
            weights = _regression(data[0], drawn[0], penalty)
            data_odds, drawn_odds = (np.asarray(x[1].dot(weights)) for x in (data, drawn))
            folds.append(gain(data_odds, drawn_odds, draws))
            odds.append(drawn_odds)
        gains[penalty], unseen[penalty] = float(np.mean(folds)), np.concatenate(odds)
        say(f"penalty {penalty:g}: {gains[penalty]:.4f} nats gained")
    best = max(PENALTIES, key=lambda each: (gains[each], each))
    quantiles = np.quantile(unseen[best], (np.arange(QUANTILES) + 0.5) / QUANTILES)
    tables = (torch.from_numpy(x).float() for x in (_regression(real, made, best), quantiles))
    return EnergyFit(ResidualEnergy(*tables), best, gains[best])


def _folds(counts: Counts, once: bool) -> Iterator[tuple[Counts, Counts]]:
    """Rows to learn from and rows held out: the last share, and unless `once` each other too."""
    number = np.arange(counts.shape[0])[::-1] * round(1 / HELD_OUT) // counts.shape[0]
    for fold in range(1 if once else round(1 / HELD_OUT)):
        yield counts[number != fold], counts[number == fold]


def bound(drawn: Real, draws: float) -> float:
    """Weight from which on a draw is always kept, so that a sample takes so many on average.

    Args:
        drawn: (m,) logarithms of the weights of draws.
        draws: On average, 1 or more.

    >>> halved = np.log([1.0, 0.5])  # keeps the first, and the second in one of two cases
    >>> abs(bound(halved, 1 / 0.75)) < 1e-12
    True
    """
    level, kept = np.sort(drawn), len(drawn) / draws
    surely = np.arange(len(level))[::-1]  # with a bound between a weight and the next
    below = np.logaddexp.accumulate(level)
    last = np.flatnonzero(surely + np.exp(below - level) >= kept)[-1]
    return float(below[last] - math.log(kept - surely[last]))


def gain(data: Real, drawn: Real, draws: float) -> float:
    """Nats that the mean log-probability of data gains by rejection.

    A draw of weight w is kept with the chance min(1, w / c), one of so many, so that its
    probability is the model's times that chance times the number of draws.

    Args:
        data: (n,) logarithms of the weights of graphs of the data.
        drawn: (m,) of draws.
        draws: That a sample takes on average.

    >>> odds = np.array([2.0, 2.0])  # of a model whose draws are all alike
    >>> [round(gain(odds + more, odds, 4), 3) for more in (0.5, 1, 30)]  # log 4 is 1.386
    [0.5, 1.0, 1.386]
    """
    return math.log(draws) + float(np.minimum(data - bound(drawn, draws), 0).mean())


def _counts(things: Things) -> Counts:
    """Of structures, a sparse matrix (n, SIZE)."""
    if all(isinstance(each, str) for each in things):
        from graphs.chem.substructure import substructure_counts

        return substructure_counts(cast(Sequence[str], things), RADIUS, SIZE)
    from graphs.metrics.local_structure import local_structure_counts

    return local_structure_counts(cast("Sequence[nx.Graph[Any]]", things), SIZE)


def _regression(data: Counts, drawn: Counts, penalty: float) -> Real:
    """Weights (SIZE,) of a logistic regression that tells counts of either kind apart."""
    from scipy.optimize import minimize
    from scipy.sparse import vstack
    from scipy.special import expit

    counts = vstack([data, drawn]).tocsr()
    used = np.unique(counts.indices)
    counts = counts[:, used]
    across, sizes = counts.T.tocsr(), (data.shape[0], drawn.shape[0])
    target = np.repeat([1.0, 0.0], sizes)
    share = np.repeat([0.5 / sizes[0], 0.5 / sizes[1]], sizes)

    def loss(given: Real) -> tuple[float, Real]:
        weights, odds = given[:-1], counts @ given[:-1] + given[-1]
        value = share @ (np.logaddexp(0, odds) - target * odds)
        slope = share * (expit(odds) - target)
        gradient = np.append(across @ slope + penalty * weights, slope.sum())
        return value + penalty / 2 * weights @ weights, gradient

    start = np.zeros(len(used) + 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 200})
    weights = np.zeros(SIZE)
    weights[used] = found.x[:-1]
    return weights
