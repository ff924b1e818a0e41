"""Frechet ChemNet distance (Preuer et al., 2018), with the network that fcd_torch carries.

It depends on the numbers of molecules compared: finite sets bias it upwards, so figures compare
only at equal counts. Published ones take 10,000 samples (QM9) or 30,000 (MOSES).
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from refine_core.errors import InputError

Real = NDArray[np.float64]

BATCH = 256
FEATURES = 512


def activations(smiles: Sequence[str], say: Callable[[int], None] = lambda _: None) -> Real:
    """Return (n, 512) activations of ChemNet's last layer.

    Args:
        smiles: Canonical SMILES, which the network was trained on.
        say: Receives the number of molecules done, after each batch.

    Raises:
        InputError: fcd_torch is not installed.
    """
    try:
        from fcd_torch import FCD
        from fcd_torch.utils import SmilesDataset
    except ImportError:
        raise InputError(
            "The Frechet ChemNet distance needs fcd_torch; pip install 'refine[graphs]'."
        ) from None
    network, encoded = FCD().model, SmilesDataset(list(smiles), canonize=False)
    result = np.zeros((len(smiles), FEATURES))
    with torch.inference_mode():
        for start in range(0, len(smiles), BATCH):
            stop = min(start + BATCH, len(smiles))
            batch = np.stack([encoded[i] for i in range(start, stop)]).astype(np.float32)
            result[start:stop] = network(torch.from_numpy(batch).transpose(1, 2)).numpy()
            say(stop)
    return result


def moments(features: Real) -> tuple[Real, Real]:
    """Return mean (d,) and covariance (d, d) of features (n, d), NaN where n < 2."""
    if len(features) < 2:
        size = features.shape[1]
        return np.full(size, np.nan), np.full((size, size), np.nan)
    return features.mean(0), np.cov(features.T)


def frechet(mean: Real, covariance: Real, other_mean: Real, other_covariance: Real) -> float:
    """Return |m - m'|^2 + tr(S + S' - 2 (S^1/2 S' S^1/2)^1/2), NaN if any number is NaN.

    Roots by eigenvalues of symmetric matrices admit singular covariances, and so few molecules.
    """
    if not (np.isfinite(covariance).all() and np.isfinite(other_covariance).all()):
        return float("nan")
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    overlap = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other_covariance @ root), 0)).sum()
    spread = np.trace(covariance) + np.trace(other_covariance)
    return float(max(((mean - other_mean) ** 2).sum() + spread - 2 * overlap, 0))
