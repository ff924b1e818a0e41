"""The frozen parts of the latent predictors: linear autoencoder, codebooks, learned bits.

All are fitted on clean training data before a predictor is trained, as section 4 says.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from images.experiments.heads import Bitwise, Head, Planes, Regression, Softmax, signs
from refine_core.noise import Noise
from refine_core.quantizers import clustering

HEADS = ("regression", "softmax", "book", "planes", "signs")

Train = Callable[[nn.Module, Tensor], object]
"""Trains a module in place on samples (n, d)."""


class Autoencoder(nn.Module):
    """Linear encoder and decoder.

    Args:
        pixels: n.
        dim: d, the bottleneck.
    """

    def __init__(self, pixels: int, dim: int) -> None:
        super().__init__()
        self.encoder = nn.Linear(pixels, dim)
        self.decoder = nn.Linear(dim, pixels)

    def forward(self, batch: tuple[Tensor, ...], noise: Noise) -> dict[str, Tensor]:
        """Mean squared reconstruction error of clean images (b, n)."""
        (clean,) = batch
        return {"loss": F.mse_loss(self.decoder(self.encoder(clean)), clean)}


class SignCode(nn.Module):
    """Linear map to bits and back, trained straight through the sign.

    Args:
        dim: d.
        bits: Of a word.
    """

    def __init__(self, dim: int, bits: int) -> None:
        super().__init__()
        self.down = nn.Linear(dim, bits)
        self.up = nn.Linear(bits, dim)

    def forward(self, batch: tuple[Tensor, ...], noise: Noise) -> dict[str, Tensor]:
        """Mean squared reconstruction error; the sign's gradient is that of tanh."""
        (z,) = batch
        soft = self.down(z).tanh()
        hard = soft + (torch.where(soft < 0, -1.0, 1.0) - soft).detach()
        return {"loss": F.mse_loss(self.up(hard), z)}

    @torch.no_grad()
    def head(self) -> Bitwise:
        """The code as a prediction target."""
        words = all_words(self.down.out_features)
        return Bitwise(words, self.up(words), (self.down.weight.T.clone(), self.down.bias.clone()))


def fit_head(
    name: str, z: Tensor, train: Train, *, size: int, groups: int, bits: int, seed: int
) -> Head:
    """Make the head `name` of `HEADS`, with its codebook fitted to clean latents.

    Args:
        name: Which.
        z: (n, d) clean training latents.
        train: Trains the learned code of `signs`.
        size: Centroids of `softmax` (in each group) and of `book`.
        groups: Groups of latent dimensions of `softmax`.
        bits: Of the three bitwise heads.
        seed: Of k-means.
    """
    if name == "regression":
        return Regression(z.shape[1])
    if name == "softmax":
        parts = enumerate(z.chunk(groups, 1))
        return Softmax(torch.stack([kmeans(part, size, seed + g) for g, part in parts]))
    if name == "book":
        centroids = kmeans(z, size, seed)
        return Bitwise(similar_words(centroids, bits), centroids)
    if name == "planes":
        planes = principal_planes(z, bits)
        return Bitwise(all_words(bits), cell_means(z, planes), planes)
    code = SignCode(z.shape[1], bits)
    train(code, z)
    return code.head()


def kmeans(z: Tensor, size: int, seed: int, rounds: int = 20) -> Tensor:
    """Centroids (size, d) of all samples (n, d), by Lloyd's iterations from a sample's k-means."""
    centroids = clustering.kmeans(z, size, torch.Generator().manual_seed(seed))
    for _ in range(rounds):
        count, total = clustering.tally(z, clustering.nearest(z, centroids), len(centroids))
        centroids = _means(count, total, centroids)
    return centroids


def similar_words(centroids: Tensor, bits: int) -> Tensor:
    """A different word (v, bits) of -1 and 1 for each centroid (v, d), near words for near ones.

    The leading principal components of the centroids, scaled to unit variance, are assigned to
    corners of the cube at the least total squared distance.
    """
    u, _, _ = torch.linalg.svd(centroids - centroids.mean(0), full_matrices=False)
    place = F.pad(u[:, :bits], (0, max(0, bits - u.shape[1]))) * math.sqrt(len(centroids))
    corners = all_words(bits)
    _, chosen = linear_sum_assignment(torch.cdist(place, corners).square().numpy())
    return corners[torch.from_numpy(chosen)]


def principal_planes(z: Tensor, bits: int) -> Planes:
    """Planes through the mean of the latents (n, d), across their leading principal components."""
    _, vectors = torch.linalg.eigh(torch.cov(z.T))
    normals = vectors[:, -bits:]
    return normals, -z.mean(0) @ normals


def cell_means(z: Tensor, planes: Planes) -> Tensor:
    """Mean latent (2^bits, d) of every cell, in the order of `all_words`; of all, if empty."""
    words = all_words(planes[0].shape[1])
    cell = (signs(z, planes) @ words.T).argmax(-1)
    return _means(*clustering.tally(z, cell, len(words)), z.mean(0))


def all_words(bits: int) -> Tensor:
    """Every word (2^bits, bits) of -1 and 1.

    >>> all_words(1).tolist()
    [[-1.0], [1.0]]
    """
    return torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * bits).view(-1, bits)


def _means(count: Tensor, total: Tensor, otherwise: Tensor) -> Tensor:
    return torch.where(count[:, None] > 0, total / count.clamp(min=1)[:, None], otherwise)
