"""Calibrating how each scale is sampled, on images that the model was not trained on."""

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

from images.data.load import LabelledImages
from images.model import ImageModel
from refine_core.noise import Noise
from refine_core.tuning.calibration import HeldOut, entropy_matched

By = Literal["likelihood", "entropy"]
"""What temperatures are chosen by, see `refine_core.tuning.calibration`."""


def calibrate(
    model: ImageModel,
    images: LabelledImages,
    *,
    by: By = "likelihood",
    coverage: float | None = None,
    seed: int = 1,
    batch: int = 250,
) -> ImageModel:
    """The model with the temperature of each scale that suits images, and a top-k.

    Args:
        model: The model to calibrate.
        images: Held-out images; of each scale all predictions are kept in memory.
        by: What temperatures are chosen by.
        coverage: Share of held-out codes that the top-k of each scale keeps; None keeps all codes.
        seed: Seed of the samples whose entropy is matched, as many as there are images.
        batch: Images computed at a time.

    Raises:
        InputError: There are no images, they do not fit the model, or its digits depend on each
            other where that is not admitted.
    """
    model.check_images(images.images)
    labels = images.labels if model.classes else None
    held_out = HeldOut.of(model.refiner, _batches(model, images.images, labels, batch))
    if by == "likelihood":
        found = held_out.temperatures()
    else:
        noise = Noise.range(seed, len(images), model.device)
        context = None if labels is None else labels.to(model.device)
        found = entropy_matched(model.refiner, held_out, noise, context)
    ranks = (None,) if coverage is None else tuple(held_out.top_k(coverage))
    return model.with_sampling(temperature=tuple(round(t, 4) for t in found), top_k=ranks)


def _batches(
    model: ImageModel, images: Tensor, labels: Tensor | None, batch: int
) -> Iterator[tuple[Tensor, Tensor | None]]:
    for index in torch.arange(len(images)).split(batch):
        given = None if labels is None else labels[index].to(model.device)
        yield images[index].to(model.device), given
