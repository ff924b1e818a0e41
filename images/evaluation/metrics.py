"""Scores of reconstructions (`mse`, `psnr`) and of samples (`frechet`, `diversity`, accuracy).

Features and logits of images are those of a frozen classifier, see `images.evaluation.classifier`.
"""

import torch
from torch import Tensor

from refine_core.errors import InputError


def mse(a: Tensor, b: Tensor) -> float:
    """Squared difference of images (n, c, h, w), averaged over all pixels."""
    return float((a - b).double().square().mean())


def psnr(a: Tensor, b: Tensor) -> float:
    """Peak signal-to-noise ratio in dB, mean over images (n, c, h, w) in [0, 1].

    Each is -10 log10 of the image's own mse, so one perfect image makes it infinite. By Jensen's
    inequality it is at least -10 log10 mse(a, b), the ratio that belongs to the whole set's mse.
    """
    each = (a - b).double().square().flatten(1).mean(1)
    return float((-10 * each.log10()).mean())


def frechet(a: Tensor, b: Tensor) -> float:
    """Frechet distance between Gaussians fitted to two sets of features.

    |mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)) of Heusel et al. (2017). With S = R'R from
    the QR factors of the centred features the last trace is the nuclear norm of R_a R_b', which
    needs no root of a product that may be singular: there may be fewer samples than dimensions.
    Finite sets bias the distance upwards; compare only values from equal numbers of samples.

    Args:
        a: (n, d) features.
        b: (m, d) features.

    Raises:
        InputError: A set has fewer than two rows or values that are not finite.
    """
    a, b = checked(a, 2).double(), checked(b, 2).double()
    factors = [torch.linalg.qr((x - x.mean(0)) / (len(x) - 1) ** 0.5, mode="r").R for x in (a, b)]
    spread = sum(factor.square().sum() for factor in factors)
    overlap = torch.linalg.svdvals(factors[0] @ factors[1].T).sum()
    distance = (a.mean(0) - b.mean(0)).square().sum() + spread - 2 * overlap
    return max(float(distance), 0.0)  # rounding can leave -1e-15


def class_accuracy(logits: Tensor, labels: Tensor) -> float:
    """Share of rows of `logits` (n, classes) whose largest entry is at `labels` (n,)."""
    return float((logits.argmax(1) == labels).double().mean())


def diversity(samples: Tensor, labels: Tensor, real: Tensor, real_labels: Tensor) -> Tensor:
    """Total variance of each class's features over that of real images of the class.

    1 is as varied as the data, 0 is a class that is always the same image, or missing.

    Args:
        samples: (n, d) features.
        labels: (n,) classes that were asked for, or those recognised if none were asked for.
        real: (m, d) features.
        real_labels: (m,) classes.

    Returns:
        (classes,) ratios, for the classes 0 to the largest of `real_labels`.
    """
    classes = int(real_labels.max()) + 1
    mine, theirs = (
        torch.stack([_variance(x[of == label]) for label in range(classes)])
        for x, of in ((checked(samples), labels), (checked(real), real_labels))
    )
    return mine / theirs


def _variance(features: Tensor) -> Tensor:
    """Total variance of (n, d) features, 0 for fewer than two."""
    return features.var(0).sum() if len(features) > 1 else features.new_zeros(())


def checked(features: Tensor, least: int = 1) -> Tensor:
    """Features (n, d) as they are.

    Raises:
        InputError: They have another shape, are fewer than `least`, or are not all finite.
    """
    if features.ndim != 2 or len(features) < least:
        raise InputError(
            f"found features of shape {tuple(features.shape)}; expected (n, d) with n >= {least}."
        )
    if not features.isfinite().all():
        raise InputError("found features that are not finite; check the images they come from.")
    return features
