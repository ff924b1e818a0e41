"""What is trained, on what, and what it will cost."""

import hashlib
import json
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from images.data.load import Images
from images.experiments.denoisers import Shape, mlp_size, stage_sizes
from images.experiments.settings import Setup


@dataclass(frozen=True)
class Spec:
    """One predictor.

    Args:
        model: "bands", or the head of a latent predictor (see `codes.HEADS`).
        seed: Of initial weights, order, noise and codebooks.
        setup: How it is trained.
        scales: Of "bands"; their perceptrons share the parameters of a single one.
        groups: Of the head "softmax".
    """

    model: str
    seed: int
    setup: Setup
    scales: int = 1
    groups: int = 1

    def key(self, fingerprint: str) -> str:
        """Name of the result, which depends on nothing but this and the data."""
        text = json.dumps([asdict(self), fingerprint], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Arrays:
    """Clean images, flat.

    Args:
        train: (n, c * h * w) float32 in [0, 1].
        test: (m, c * h * w).
        shape: (c, h, w).
    """

    train: Tensor
    test: Tensor
    shape: Shape

    @classmethod
    def of(cls, images: Images) -> "Arrays":
        """Drop the labels."""
        return cls(images.train.images.flatten(1), images.test.images.flatten(1), images.shape)

    def limited(self, setup: Setup) -> "Arrays":
        """The first images of both sets, as many as asked for."""
        return Arrays(self.train[: setup.images], self.test[: setup.test_images], self.shape)

    def fingerprint(self) -> str:
        """Digest of all pixels and of the version of torch."""
        digest = hashlib.sha256(f"{torch.__version__} {self.shape}".encode())
        for pixels in (self.train, self.test):
            digest.update(pixels.numpy().tobytes())
        return digest.hexdigest()


def cost(spec: Spec, arrays: Arrays) -> float:
    """Rough CPU-seconds of a run: parameters to multiply by, and noise to draw."""
    setup, pixels = spec.setup, arrays.train.shape[1]
    outputs = {"regression": setup.bottleneck, "softmax": setup.codes * spec.groups}
    size = mlp_size((setup.bottleneck, outputs.get(spec.model, setup.bits)), setup.width)
    if spec.model == "bands":
        size = mlp_size(stage_sizes(arrays.shape, 1)[0], setup.width)
        size += (spec.scales - 1) * 200 * pixels
    images = len(arrays.limited(setup).train) * setup.epochs
    return 1e-10 * images * (size + 300 * pixels)
