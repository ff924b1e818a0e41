"""The predictors of section 4: two-layer perceptrons that map a noisy image to a clean one.

With `x` a clean image and `x~ = x + sigma e`, every row of Tables 1-4 is one of two kinds:

    Bands    one perceptron per band of a Laplacian pyramid; a single band is the Pixel-MLP and the
             single shot
    Latent   E(x~) -> perceptron -> head -> z^ -> D(z^), with a frozen linear autoencoder (E, D);
             the head decides what is predicted

Images are flat: (b, c * h * w).
"""

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from images.data.load import Images
from images.experiments.config import Setup
from images.experiments.heads import Head
from refine_core.noise import Noise, derive
from refine_core.pyramid import gaussian, halvings

Shape = tuple[int, int, int]
"""Channels, height, width of an image."""

TEST_NOISE = 0
"""Seed of the test noise, the same for all, so that differences between predictors are paired."""


@dataclass(frozen=True, eq=False)
class FlatImages:
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
    def of(cls, images: Images) -> "FlatImages":
        """Images without their labels."""
        return cls(images.train.images.flatten(1), images.test.images.flatten(1), images.shape)

    def limited(self, setup: Setup) -> "FlatImages":
        """The first images of both sets, as many as the setup asks for."""
        return FlatImages(self.train[: setup.images], self.test[: setup.test_images], self.shape)

    def fingerprint(self) -> str:
        """Digest of all pixels and of the version of torch."""
        digest = hashlib.sha256(f"{torch.__version__} {self.shape}".encode())
        for pixels in (self.train, self.test):
            digest.update(pixels.numpy().tobytes())
        return digest.hexdigest()


class Denoiser(nn.Module, ABC):
    """A predictor of clean images, trained on fresh noise in every batch.

    Args:
        sigma: Standard deviation of the training noise, in units of the pixel range [0, 1].
    """

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, batch: tuple[Tensor, ...], noise: Noise) -> dict[str, Tensor]:
        """Training loss on clean images `batch[0]` (b, n)."""
        (clean,) = batch
        # One generator for the batch is five times faster than numbers named by sample.
        seed = derive(noise.seed, int(noise.index[0]))
        return {"loss": self.loss(clean, add_noise(clean, self.sigma, seed))}

    @abstractmethod
    def loss(self, clean: Tensor, noisy: Tensor) -> Tensor:
        """Scalar training loss of a batch (b, n) and its noisy version."""

    @abstractmethod
    def denoise(self, noisy: Tensor, *, mean: bool = False) -> Tensor:
        """Reconstruction (b, n); `mean` decodes a discrete prediction by its posterior mean."""

    @abstractmethod
    def perfect(self, clean: Tensor) -> Tensor:
        """Reconstruction (b, n) from a perceptron without error: its error is the floor."""


class Bands(Denoiser):
    """Coarse-to-fine prediction of Laplacian bands (setup C; eq. 7-9).

    Stage 0 denoises the coarsest low-pass image. Stage k sees the expanded reconstruction so far
    beside the noisy image at its own scale, and predicts band k. Stages learn at the same time,
    but no gradient passes between them.

    Args:
        shape: Channels, height and width of an image.
        scales: Count S of bands; one is a single perceptron on pixels.
        width: Hidden width of every perceptron.
        sigma: Standard deviation of the training noise.
    """

    def __init__(self, shape: Shape, scales: int, width: int, sigma: float) -> None:
        super().__init__(sigma)
        self.channels = shape[0]
        self.pyramid = gaussian(halvings(shape[1:], scales))
        self.stages = nn.ModuleList(
            mlp(inputs, width, outputs) for inputs, outputs in stage_sizes(shape, scales)
        )

    def loss(self, clean: Tensor, noisy: Tensor) -> Tensor:
        """Sum over bands of the mean squared error."""
        targets = self.pyramid.laplacian(self._image(clean))
        predicted, _ = self._predict(noisy)
        return torch.stack(
            [F.mse_loss(*pair) for pair in zip(predicted, targets, strict=True)]
        ).sum()

    def denoise(self, noisy: Tensor, *, mean: bool = False) -> Tensor:
        """Sum of the expanded bands (eq. 9); nothing is discrete, so `mean` changes nothing."""
        return self._predict(noisy)[1].flatten(1)

    def perfect(self, clean: Tensor) -> Tensor:
        """The pyramid reconstructs exactly, so the floor is zero."""
        return clean

    def _predict(self, noisy: Tensor) -> tuple[list[Tensor], Tensor]:
        """Predicted band of every scale, coarse to fine, and the reconstruction."""
        bands: list[Tensor] = []
        state = noisy.new_zeros(())
        levels = self.pyramid.gaussian(self._image(noisy))
        for k, (stage, level) in enumerate(zip(self.stages, levels, strict=True)):
            inputs = level.flatten(1)
            if k:
                state = self.pyramid.resample(state, k - 1, k).detach()
                inputs = torch.cat([state.flatten(1), inputs], 1)
            bands.append(stage(inputs).view(level.shape))
            state = state + bands[-1]
        return bands, state

    def _image(self, flat: Tensor) -> Tensor:
        return flat.view(-1, self.channels, *self.pyramid.sizes[-1])


class Latent(Denoiser):
    """Prediction in the latent space of a frozen autoencoder (setups A and B).

    Args:
        encoder: E, (b, n) -> (b, d).
        decoder: D, (b, d) -> (b, n).
        head: Decides what the perceptron predicts of the clean latent.
        width: Hidden width of the perceptron.
        sigma: Standard deviation of the training noise, added to the image before E.
    """

    def __init__(
        self, encoder: nn.Linear, decoder: nn.Linear, head: Head, width: int, sigma: float
    ) -> None:
        super().__init__(sigma)
        self.encoder = encoder.requires_grad_(False)
        self.decoder = decoder.requires_grad_(False)
        self.head = head
        self.trunk = mlp(encoder.out_features, width, head.outputs)

    def loss(self, clean: Tensor, noisy: Tensor) -> Tensor:
        """The head's loss against z = E(x)."""
        return self.head.loss(self.trunk(self.encoder(noisy)), self.encoder(clean))

    def denoise(self, noisy: Tensor, *, mean: bool = False) -> Tensor:
        """D(z^)."""
        image: Tensor = self.decoder(self.head.decode(self.trunk(self.encoder(noisy)), mean=mean))
        return image

    def perfect(self, clean: Tensor) -> Tensor:
        """D of the clean latent, quantised by the head."""
        image: Tensor = self.decoder(self.head.quantize(self.encoder(clean)))
        return image


def mlp(inputs: int, width: int, outputs: int) -> nn.Sequential:
    """Linear, GELU, LayerNorm, Linear: the paper's predictor (section 4, common setup)."""
    return nn.Sequential(
        nn.Linear(inputs, width), nn.GELU(), nn.LayerNorm(width), nn.Linear(width, outputs)
    )


def add_noise(clean: Tensor, sigma: float, seed: int) -> Tensor:
    """Add white noise of standard deviation `sigma`."""
    generator = torch.Generator(clean.device).manual_seed(seed)
    return clean + sigma * torch.randn(clean.shape, generator=generator, device=clean.device)


def stage_sizes(shape: Shape, scales: int) -> list[tuple[int, int]]:
    """(inputs, outputs) of the perceptron of each band, coarse to fine."""
    sizes = [shape[0] * h * w for h, w in halvings(shape[1:], scales)]
    return [(size if k == 0 else 2 * size, size) for k, size in enumerate(sizes)]


def matched_width(shape: Shape, scales: int, width: int) -> int:
    """Width at which `scales` perceptrons have as many parameters as a single one of `width`.

    >>> matched_width((1, 28, 28), 1, 512), matched_width((1, 28, 28), 2, 512)
    (512, 292)
    """
    budget = mlp_size(stage_sizes(shape, 1)[0], width)
    fixed = sum(mlp_size(sizes, 0) for sizes in stage_sizes(shape, scales))
    slope = sum(mlp_size(sizes, 1) for sizes in stage_sizes(shape, scales)) - fixed
    return max(1, round((budget - fixed) / slope))


def mlp_size(sizes: tuple[int, int], width: int) -> int:
    """Number of parameters of `mlp(inputs, width, outputs)`.

    >>> mlp_size((784, 784), 512) == sum(p.numel() for p in mlp(784, 512, 784).parameters())
    True
    """
    inputs, outputs = sizes
    return width * (inputs + 3 + outputs) + outputs
