"""What a latent predictor predicts: the latent itself, or a code for it (setup B).

The linear autoencoder, the codebooks and the learned bits are fitted to clean training images
before a predictor is trained, and stay as they are, as section 4 says. The paper leaves
"Bitwise-8 (...) over a learned 8-bit code for the same codebook" open. Three readings are
measured:

    book    Each of the 64 k-means centroids gets an 8-bit word, near centroids near words; decoded
            by the likeliest of the 64 words. The literal reading.
    planes  The signs of the 8 leading principal components cut the latent space into 256 cells;
            decoded by the mean of the cell. Eight bits, but another codebook.
    signs   A linear map to 8 numbers, their signs, and a linear map back, trained end to end:
            lookup-free or binary-spherical quantisation.

All three are tables of words, with a centroid for each.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from refine_core.noise import Noise
from refine_core.quantizers import clustering
from refine_core.quantizers.clustering import nearest

HEADS = ("regression", "softmax", "book", "planes", "signs")
"""Names of all heads, see `fit_head`."""

Train = Callable[[nn.Module, Tensor], object]
"""Trains a module in place on samples (n, d)."""

Planes = tuple[Tensor, Tensor]
"""Normals (d, bits) and offsets (bits,): a latent's word is the signs of z @ normals + offsets."""


class Head(nn.Module, ABC):
    """Turns the outputs of a predictor into a loss and a latent.

    Attributes:
        outputs: Count of the predictor's outputs.
    """

    outputs: int

    @abstractmethod
    def loss(self, out: Tensor, z: Tensor) -> Tensor:
        """Scalar loss of outputs (b, outputs) against clean latents (b, d)."""

    @abstractmethod
    def decode(self, out: Tensor, *, mean: bool) -> Tensor:
        """Latent (b, d) of the likeliest code, or the posterior mean."""

    @abstractmethod
    def quantize(self, z: Tensor) -> Tensor:
        """Latent (b, d) that a perfect prediction of `z` decodes to."""


class Regression(Head):
    """Continuous prediction by mean squared error.

    Args:
        dim: Dimensions d of the latent.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.outputs = dim

    def loss(self, out: Tensor, z: Tensor) -> Tensor:
        """Mean squared error in the latent space."""
        return F.mse_loss(out, z)

    def decode(self, out: Tensor, *, mean: bool) -> Tensor:
        """The prediction itself, which is a mean already."""
        return out

    def quantize(self, z: Tensor) -> Tensor:
        """The latent itself; nothing is quantised."""
        return z


class Softmax(Head):
    """A softmax over the centroids of each group of latent dimensions.

    Args:
        centroids: (g, v, d / g); one group is the Softmax-64 of the paper, several are product
            quantisation.
    """

    centroids: Tensor

    def __init__(self, centroids: Tensor) -> None:
        super().__init__()
        self.register_buffer("centroids", centroids)
        self.groups, self.size, _ = centroids.shape
        self.outputs = self.groups * self.size

    def loss(self, out: Tensor, z: Tensor) -> Tensor:
        """Cross-entropy in nats, mean over groups."""
        return F.cross_entropy(out.view(-1, self.size), self.codes(z).flatten())

    def decode(self, out: Tensor, *, mean: bool) -> Tensor:
        """Likeliest centroid, or the mean of centroids under the softmax, per group."""
        weight = _weights(out.view(-1, self.groups, self.size), mean)
        return torch.einsum("bgv,gvd->bgd", weight, self.centroids).flatten(1)

    def codes(self, z: Tensor) -> Tensor:
        """Nearest centroids (b, g) of latents (b, d)."""
        parts = z.chunk(self.groups, 1)
        return torch.stack([nearest(*pair) for pair in zip(parts, self.centroids, strict=True)], 1)

    def quantize(self, z: Tensor) -> Tensor:
        """Nearest centroid of each group, concatenated."""
        groups = torch.arange(self.groups, device=z.device)
        return self.centroids[groups, self.codes(z)].flatten(1)


class Bitwise(Head):
    """Independent bits; a word of bits stands for a centroid.

    Args:
        words: (v, bits) of -1 and 1, all different.
        centroids: (v, d).
        planes: Their signs give a latent its word; without planes, its nearest centroid does.
    """

    words: Tensor
    centroids: Tensor
    normals: Tensor | None
    offsets: Tensor | None

    def __init__(self, words: Tensor, centroids: Tensor, planes: Planes | None = None) -> None:
        super().__init__()
        normals, offsets = planes or (None, None)
        tensors = {"words": words, "centroids": centroids, "normals": normals, "offsets": offsets}
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor)
        self.outputs = words.shape[1]

    def loss(self, out: Tensor, z: Tensor) -> Tensor:
        """Binary cross-entropy in nats, mean over bits."""
        return F.softplus(-self.words[self.codes(z)] * out).mean()

    def decode(self, out: Tensor, *, mean: bool) -> Tensor:
        """Centroid of the likeliest word of the table, or the mean over the table."""
        # Up to a constant, the log-likelihood of a word under independent bits.
        return _weights(out @ self.words.T / 2, mean) @ self.centroids

    def codes(self, z: Tensor) -> Tensor:
        """Row of the table (b,) for latents (b, d)."""
        if self.normals is None or self.offsets is None:
            return nearest(z, self.centroids)
        return (signs(z, (self.normals, self.offsets)) @ self.words.T).argmax(-1)

    def quantize(self, z: Tensor) -> Tensor:
        """Centroid of the latent's word."""
        return self.centroids[self.codes(z)]


def signs(z: Tensor, planes: Planes) -> Tensor:
    """Words (b, bits) of -1 and 1: on which side of each plane the latents (b, d) lie."""
    normals, offsets = planes
    return torch.where(z @ normals + offsets < 0, -1.0, 1.0)


def _weights(logits: Tensor, mean: bool) -> Tensor:
    """Softmax over the last axis, or all weight on the largest."""
    if mean:
        return logits.softmax(-1)
    return F.one_hot(logits.argmax(-1), logits.shape[-1]).to(logits.dtype)


class Autoencoder(nn.Module):
    """Linear encoder and decoder.

    Args:
        pixels: Length n of a flat image.
        dim: Dimensions d of the bottleneck.
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
    """Linear map to bits and back, trained with a straight-through gradient.

    Args:
        dim: Dimensions d of a latent.
        bits: Bits of a word.
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
        """Head that predicts this code."""
        words = all_words(self.down.out_features)
        return Bitwise(words, self.up(words), (self.down.weight.T.clone(), self.down.bias.clone()))


def fit_head(
    name: str, z: Tensor, train: Train, *, size: int, groups: int, bits: int, seed: int
) -> Head:
    """Make a head, with its codebook fitted to clean latents.

    Args:
        name: One of `HEADS`.
        z: (n, d) clean training latents.
        train: Trains the learned code of `signs`.
        size: Centroids of `softmax` (in each group) and of `book`.
        groups: Groups of latent dimensions of `softmax`.
        bits: Bits of the three bitwise heads.
        seed: Seed of k-means.
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
    """Centroids (size, d) of samples (n, d): Lloyd's iterations, begun on a subset of them."""
    centroids = clustering.kmeans(z, size, torch.Generator().manual_seed(seed))
    for _ in range(rounds):
        count, total = clustering.tally(z, clustering.nearest(z, centroids), len(centroids))
        centroids = _means(count, total, centroids)
    return centroids


def similar_words(centroids: Tensor, bits: int) -> Tensor:
    """Different words (v, bits) of -1 and 1 for centroids (v, d); near centroids get near words.

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
    """Mean latent (2^bits, d) of every cell, in the order of `all_words`.

    An empty cell gets the mean of all latents.
    """
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
