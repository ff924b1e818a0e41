"""The residual energy of graphs: what tells data from a model's samples, and makes up for it.

    p(x) ~ p_model(x) exp(-E(x)),    -E(x) = sum_s w_s n_s(x)

n_s counts the circular substructures of a molecule, atoms with all that is up to two bonds away
(Rogers and Hahn, 2010), and of other graphs their `graphs.metrics.local_structure`. w are the
weights of a logistic regression of data against samples, so that -E estimates
log p_data - log p_model: noise-contrastive estimation whose noise is the model (Gutmann and
Hyvarinen, 2010), a residual energy-based model (Deng et al., 2020, arXiv 2004.11714).

What stands beside what is drawn independently within a scale, and so comes out wrong; these counts
see it. Samples follow p by importance resampling: of several draws one is kept by its weight.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
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
HELD_OUT, OTHERS = 0.2, 500
"""Share of graphs that are held out, and sets of draws that a gain is a mean over."""
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

    >>> table = torch.zeros(SIZE)
    >>> ResidualEnergy(table)(["CCO", "c1ccccc1"])
    [0.0, 0.0]
    """

    log_odds: Tensor

    def __init__(self, log_odds: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("log_odds", torch.zeros(SIZE) if log_odds is None else log_odds)

    def forward(self, things: Things) -> list[float]:
        """-E of valid molecules or graphs, in nats."""
        table = self.log_odds.double().cpu().numpy()
        return np.asarray(_counts(things).dot(table)).tolist()  # type: ignore[no-any-return]


@dataclass(frozen=True)
class EnergyFit:
    """A fitted energy, and what it gains on graphs that were held out.

    Args:
        energy: The energy.
        penalty: That was chosen.
        nats: Log-probability that a graph of the data gains; the logarithm of the particles at
            most.
    """

    energy: ResidualEnergy
    penalty: float
    nats: float


def fit(data: Things, drawn: Things, particles: int = 2, say: Say = silent) -> EnergyFit:
    """Fit an energy to graphs of the data and those that a model drew; both kinds weigh the same.

    Args:
        data: In random order.
        drawn: As many or more, in random order.
        particles: Draws of which one will be kept.
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
        return _fit(_counts(data), _counts(drawn), particles, say)


def _fit(real: Counts, made: Counts, particles: int, say: Say) -> EnergyFit:
    gains, once = {}, real.shape[0] > FEW
    for penalty in PENALTIES:
        folds = []
        for data, drawn in zip(_folds(real, once), _folds(made, once), strict=True):
            weights = _regression(data[0], drawn[0], penalty)
            data_odds, drawn_odds = (np.asarray(x[1].dot(weights)) for x in (data, drawn))
            folds.append(gain(data_odds, drawn_odds, particles))
        gains[penalty] = float(np.mean(folds))
        say(f"penalty {penalty:g}: {gains[penalty]:.4f} nats gained")
    best = max(gains, key=lambda each: gains[each])
    weights = _regression(real, made, best)
    return EnergyFit(ResidualEnergy(torch.from_numpy(weights).float()), best, gains[best])


def _folds(counts: Counts, once: bool) -> Iterator[tuple[Counts, Counts]]:
    """Rows to learn from and rows held out: the last share, and unless `once` each other too."""
    number = np.arange(counts.shape[0])[::-1] * round(1 / HELD_OUT) // counts.shape[0]
    for fold in range(1 if once else round(1 / HELD_OUT)):
        yield counts[number != fold], counts[number == fold]


def gain(data: Real, drawn: Real, particles: int) -> float:
    """Nats that the mean log-probability of data gains where one of several draws is kept.

    A draw x is kept beside others y with the share w(x) / (w(x) + sum w(y)) of weights w, so that
    its probability is the model's times K E_y of that.

    Args:
        data: (n,) logarithms of the weights of molecules of the data.
        drawn: (m,) of draws.
        particles: Draws K of which one is kept.

    >>> odds = np.array([2.0, 2.0])  # of a model whose draws are all alike
    >>> [round(gain(odds + more, odds, 4), 3) for more in (0, 1, 30)]  # log 4 is 1.386
    [0.0, 0.643, 1.386]
    """
    chosen = np.random.default_rng(0).integers(len(drawn), size=(OTHERS, particles - 1))
    others = np.logaddexp.reduce(drawn[chosen], axis=1)
    share = np.array([expit(each - others).mean() for each in data])
    return float(np.log(particles * share).mean())


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
