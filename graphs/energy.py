"""The residual energy of molecules: what tells data from a model's samples, and makes up for it.

    p(x) ~ p_model(x) exp(-E(x)),    -E(x) = sum_s w_s n_s(x)

n_s counts the circular substructures of a molecule, atoms with all that is up to two bonds away
(Rogers and Hahn, 2010). w are the weights of a logistic regression of data against samples, so
that -E estimates log p_data - log p_model: noise-contrastive estimation whose noise is the model
(Gutmann and Hyvarinen, 2010), a residual energy-based model (Deng et al., 2020, arXiv 2004.11714).

What stands beside what is drawn independently within a scale, and so comes out wrong; these counts
see it. Samples follow p by importance resampling: of several draws one is kept by its weight.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor, nn

from refine_core.app.processes.threads import one_thread
from refine_core.app.progress import Say, silent
from refine_core.errors import InputError

if TYPE_CHECKING:
    from graphs.chem.substructure import Counts

RADIUS, SIZE = 2, 2**16
"""Bonds that a substructure reaches, and places that substructures are folded into."""
PENALTIES = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3)
"""Of the squared weights; that which gains most on molecules held out is chosen."""
HELD_OUT, OTHERS = 0.2, 500
"""Share of molecules that are held out, and sets of draws that a gain is a mean over."""
LEAST = 100
"""Molecules of each kind that a fit takes at least."""

Real = NDArray[np.float64]


class ResidualEnergy(nn.Module):
    """Weights of molecules, as those of `graphs.scoring.Score`.

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

    def forward(self, smiles: Sequence[str]) -> list[float]:
        """-E of valid molecules, in nats."""
        table = self.log_odds.double().cpu().numpy()
        return np.asarray(_counts(smiles).dot(table)).tolist()  # type: ignore[no-any-return]


@dataclass(frozen=True)
class EnergyFit:
    """A fitted energy, and what it gains on molecules that were held out.

    Args:
        energy: The energy.
        penalty: That was chosen.
        nats: Log-probability that a molecule of the data gains; the logarithm of the particles at
            most.
    """

    energy: ResidualEnergy
    penalty: float
    nats: float


def fit(
    data: Sequence[str], drawn: Sequence[str], particles: int = 2, say: Say = silent
) -> EnergyFit:
    """Fit an energy to molecules of the data and equally many that a model drew.

    Args:
        data: Valid SMILES, in random order.
        drawn: Valid SMILES.
        particles: Draws of which one will be kept.
        say: Receives a line about each penalty.

    Raises:
        InputError: There are fewer than `LEAST` of either.
    """
    count = min(len(data), len(drawn))
    if count < LEAST:
        raise InputError(
            f"Found {len(data)} molecules of the data and {len(drawn)} valid ones of the model, "
            f"an energy takes {LEAST} of each: give more, or train the model for longer."
        )
    with one_thread():  # rounding depends on their number
        return _fit(data[:count], drawn[:count], particles, say)


def _fit(data: Sequence[str], drawn: Sequence[str], particles: int, say: Say) -> EnergyFit:
    real, made = _counts(data), _counts(drawn)
    count = len(data)
    split = count - max(1, int(HELD_OUT * count))
    gains = {}
    for penalty in PENALTIES:
        weights = _regression(real[:split], made[:split], penalty)
        data_odds, drawn_odds = (np.asarray(x[split:].dot(weights)) for x in (real, made))
        gains[penalty] = gain(data_odds, drawn_odds, particles)
        say(f"penalty {penalty:g}: {gains[penalty]:.4f} nats gained")
    best = max(gains, key=lambda each: gains[each])
    weights = _regression(real, made, best)
    return EnergyFit(ResidualEnergy(torch.from_numpy(weights).float()), best, gains[best])


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


def _counts(smiles: Sequence[str]) -> "Counts":
    """Of substructures, a sparse matrix (n, SIZE)."""
    from graphs.chem.substructure import substructure_counts

    return substructure_counts(smiles, RADIUS, SIZE)


def _regression(
    data: "Counts",
    drawn: "Counts",
    penalty: float,
) -> Real:
    """Weights (SIZE,) of a logistic regression that tells counts of either kind apart."""
    from scipy.optimize import minimize
    from scipy.sparse import vstack

    counts = vstack([data, drawn]).tocsr()
    across, count = counts.T.tocsr(), counts.shape[0]
    target = np.repeat([1.0, 0.0], [data.shape[0], drawn.shape[0]])

    def loss(given: Real) -> tuple[float, Real]:
        weights, odds = given[:-1], counts @ given[:-1] + given[-1]
        value = np.logaddexp(0, odds).sum() - odds @ target
        slope = 1 / (1 + np.exp(-odds)) - target
        gradient = np.append(across @ slope / count + penalty * weights, slope.mean())
        return value / count + penalty / 2 * weights @ weights, gradient

    found = minimize(
        loss, np.zeros(SIZE + 1), jac=True, method="L-BFGS-B", options={"maxiter": 200}
    )
    weights: Real = found.x[:-1]
    return weights
