"""The frozen classifier whose features and classes samples and data are compared by.

A Frechet distance means nothing without the network it was computed with. This one is small, its
weights are part of the package and their checksum is part of the code. It is for 28 x 28 digits in
grey; for other data train one with `train_evaluator`, and compare only numbers of one `digest`.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from images.data.load import Images, LabelledImages
from images.evaluation.metrics import class_accuracy
from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.storage.files import sha256
from refine_core.storage.pretrained import Pretrained
from refine_core.training.config import Optimisation
from refine_core.training.data import Batch, Tensors
from refine_core.training.loop import fit

WEIGHTS = Path(__file__).parents[1] / "weights" / "evaluator.safetensors"
SHA256 = "24528ed160a2ca8aa346a1baa9d331422a799f1112070acb5299db6892b2972c"
# Averaged weights would not fit the running statistics, which are those of the last weights.
RECIPE = Optimisation(epochs=8, batch=128, learning_rate=3e-3, weight_decay=1e-2, ema=None)
SHIFT = 2
"""Largest shift of training images, in pixels."""


@dataclass(frozen=True)
class EvaluatorShape:
    """Arguments of `Evaluator`."""

    channels: int
    size: tuple[int, int]
    classes: int


@dataclass(frozen=True)
class EvaluatorSpec:
    """What an evaluator is rebuilt from."""

    config: EvaluatorShape


EVALUATORS = Pretrained("evaluator", EvaluatorSpec, WEIGHTS.parent, hidden=("mnist",))


@dataclass(frozen=True)
class Evaluation:
    """Outputs of the evaluator for n images.

    Attributes:
        features: (n, 64), each of mean 0 and variance 1, roughly, over the training set.
        logits: (n, classes).
    """

    features: Tensor
    logits: Tensor


class Evaluator(nn.Module):
    """A convolutional classifier: pairs of 3 x 3 convolutions, then 64 features, then logits.

    Args:
        channels: Channels of the images.
        size: Their height and width. They are halved at least once, until neither exceeds 7.
        classes: Count of logits.
    """

    def __init__(
        self, channels: int = 1, size: tuple[int, int] = (28, 28), classes: int = 10
    ) -> None:
        super().__init__()
        self.channels, self.size, self.classes = channels, size, classes
        self.digest = "untrained"
        (height, width), depth, layers = size, channels, list[nn.Module]()
        for stage in range(max(1, math.ceil(math.log2(max(size) / 7)))):
            wide = 32 * min(2**stage, 4)
            layers += [*_convolution(depth, wide, stride=2), *_convolution(wide, wide, stride=1)]
            height, width, depth = math.ceil(height / 2), math.ceil(width / 2), wide
        pixels = depth * height * width
        self.features = nn.Sequential(
            *layers,
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(pixels, 64, bias=False),
            nn.BatchNorm1d(64, affine=False),
        )
        self.classify = nn.Sequential(nn.ReLU(), nn.Linear(64, classes))

    def forward(self, images: Tensor) -> Evaluation:
        """Evaluate images (n, c, h, w) in [0, 1].

        Raises:
            InputError: The evaluator was made for images of another shape.
        """
        self._check_shape(images)
        features = self.features(images)
        return Evaluation(features, self.classify(features))

    @torch.no_grad()
    def evaluate(self, images: Tensor, batch: int = 500) -> Evaluation:
        """Evaluate any number of images, some at a time; they come from and go to the CPU."""
        self.eval()
        device = next(self.parameters()).device
        outputs = [self(part.to(device)) for part in torch.split(images, batch)]
        return Evaluation(
            torch.cat([each.features for each in outputs]).cpu(),
            torch.cat([each.logits for each in outputs]).cpu(),
        )

    def accuracy(self, data: LabelledImages) -> float:
        """Share of labelled images that are recognised."""
        return class_accuracy(self.evaluate(data.images).logits, self.checked_labels(data))

    def checked_labels(self, data: LabelledImages) -> Tensor:
        """Labels of images that the evaluator fits.

        Raises:
            InputError: There are no labels, or shape or classes are not those of the evaluator.
        """
        self._check_shape(data.images)
        if data.labels is None:
            raise InputError(
                "The data has no labels, and the evaluator compares classes: give labelled images."
            )
        if int(data.labels.max()) >= self.classes:
            raise InputError(
                f"Found the label {int(data.labels.max())} and an evaluator of {self.classes} "
                "classes; train one on such images and give its path."
            )
        return data.labels

    def _check_shape(self, images: Tensor) -> None:
        expected = (self.channels, *self.size)
        if images.shape[1:] != expected:
            raise InputError(
                f"Found images of (channels, height, width) {tuple(images.shape[1:])} and an "
                f"evaluator for {expected}; train one on such images and give its path."
            )


def _convolution(depth: int, wide: int, stride: int) -> list[nn.Module]:
    """Convolution, normalisation, activation."""
    layer = nn.Conv2d(depth, wide, 3, stride=stride, padding=1, bias=False)
    return [layer, nn.BatchNorm2d(wide), nn.ReLU()]


class _Classification(nn.Module):
    """Training loss of an evaluator: cross-entropy on images shifted by up to `SHIFT` pixels."""

    def __init__(self, evaluator: Evaluator) -> None:
        super().__init__()
        self.evaluator = evaluator

    def forward(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        images, labels = batch
        logits = self.evaluator(shifted(images, noise)).logits
        return {"loss": F.cross_entropy(logits, labels, label_smoothing=0.05)}


def shifted(images: Tensor, noise: Noise) -> Tensor:
    """Shift each image (n, c, h, w) by up to `SHIFT` pixels on both axes, repeating its edge."""
    h, w = images.shape[2:]
    padded = F.pad(images, (SHIFT,) * 4, mode="replicate")
    windows = padded.unfold(2, h, 1).unfold(3, w, 1)  # (n, c, shift, shift, h, w)
    y, x = (noise.uniform(0, 2) * (2 * SHIFT + 1)).long().T
    return windows[torch.arange(len(images)), :, y, x]


def train_evaluator(
    data: Images, path: Path, opt: Optimisation = RECIPE, seed: int = 0, *, quiet: bool = False
) -> Evaluator:
    """Train an evaluator, write its weights in half precision, and return it as read from there.

    Args:
        data: Labelled images of any shape.
        path: The safetensors file to write.
        opt: How to train; no choice is made on the test set.
        seed: Seed of the initial weights, the order and the shifts.
        quiet: Whether to show no progress.

    Raises:
        InputError: The images have no labels.
    """
    if data.train.labels is None:
        raise InputError("The images have no labels; an evaluator is trained to tell classes.")
    channels, height, width = data.shape
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        fresh = _Classification(Evaluator(channels, (height, width), data.classes))
    samples = Tensors(data.train.images, data.train.labels)
    fitted, _ = fit(fresh, samples, opt, seed=seed, title="evaluator", quiet=quiet)
    assert isinstance(fitted, _Classification)
    spec = EvaluatorSpec(EvaluatorShape(channels, (height, width), data.classes))
    EVALUATORS.save(path, fitted.evaluator, spec)
    return load_evaluator(path)


def load_evaluator(path: Path | None = None) -> Evaluator:
    """Read an evaluator, frozen and in evaluation mode; `digest` is the SHA-256 of its file.

    Args:
        path: Weights written by `train_evaluator`; by default those of the package, for MNIST.

    Raises:
        InputError: The file is missing, damaged, not an evaluator, or not the one of the package.
    """
    saved = EVALUATORS.load(path or WEIGHTS)
    shape = saved.spec.config
    evaluator = saved.restore(Evaluator(shape.channels, shape.size, shape.classes))
    evaluator.digest = sha256(saved.path)
    if path is None and evaluator.digest != SHA256:
        raise InputError(
            f"{WEIGHTS} has SHA-256 {evaluator.digest} instead of {SHA256}; install refine again."
        )
    return evaluator.requires_grad_(False).eval()
