"""What a latent predictor predicts: the latent itself, or a code for it (setup B).

The paper leaves "Bitwise-8 (...) over a learned 8-bit code for the same codebook" open. Three
readings are measured:

    book    Each of the 64 k-means centroids gets an 8-bit word, near centroids near words; decoded
            by the likeliest of the 64 words. The literal reading.
    planes  The signs of the 8 leading principal components cut the latent space into 256 cells;
            decoded by the mean of the cell. Eight bits, but another codebook.
    signs   A linear map to 8 numbers, their signs, and a linear map back, trained end to end:
            lookup-free or binary-spherical quantisation.

All three are a table of words with a centroid each.
"""

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refine_core.quantizers.clustering import nearest

Planes = tuple[Tensor, Tensor]
"""Normals (d, bits) and offsets (bits,): a latent's word is the signs of z @ normals + offsets."""


class Head(nn.Module, ABC):
    """Turns the outputs of a predictor into a loss and a latent.

    Attributes:
        outputs: How many numbers the predictor has to give.
    """

    outputs: int

    @abstractmethod
    def loss(self, out: Tensor, z: Tensor) -> Tensor:
        """Scalar loss of outputs (b, outputs) against clean latents (b, d)."""

    @abstractmethod
    def decode(self, out: Tensor, *, mean: bool) -> Tensor:
        """Latent (b, d): of the likeliest code, or the posterior mean."""

    @abstractmethod
    def quantize(self, z: Tensor) -> Tensor:
        """Latent (b, d) that a perfect prediction of `z` decodes to."""


class Regression(Head):
    """Continuous prediction by mean squared error.

    Args:
        dim: d.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.outputs = dim

    def loss(self, out: Tensor, z: Tensor) -> Tensor:
        """Mean squared error in the latent space."""
        return F.mse_loss(out, z)

    def decode(self, out: Tensor, *, mean: bool) -> Tensor:
        """The prediction, which is a mean already."""
        return out

    def quantize(self, z: Tensor) -> Tensor:
        """Nothing is quantised."""
        return z


class Softmax(Head):
    """One categorical choice among the centroids of each group of latent dimensions.

    Args:
        centroids: (g, v, d / g); one group is the Softmax-64 of the paper, more are product
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
        """Nearest centroids themselves."""
        groups = torch.arange(self.groups, device=z.device)
        return self.centroids[groups, self.codes(z)].flatten(1)


class Bitwise(Head):
    """Independent bits, whose words name centroids.

    Args:
        words: (v, bits) of -1 and 1, all different.
        centroids: (v, d).
        planes: What gives a latent its word; without them, its nearest centroid does.
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
    """Word (b, bits) of -1 and 1: on which side of each plane the latents (b, d) lie."""
    normals, offsets = planes
    return torch.where(z @ normals + offsets < 0, -1.0, 1.0)


def _weights(logits: Tensor, mean: bool) -> Tensor:
    """Softmax over the last axis, or all weight on the largest."""
    if mean:
        return logits.softmax(-1)
    return F.one_hot(logits.argmax(-1), logits.shape[-1]).to(logits.dtype)
