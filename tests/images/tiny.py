"""A config and images on which a model trains in a second."""

import torch

from images.config import GeneratorConfig, ImagesConfig, SamplingConfig, TokenizerConfig
from images.data.load import Images, LabelledImages
from refine_core.training.config import Optimisation

TRAINING = Optimisation(epochs=2, batch=16, ema=0.9)
CONFIG = ImagesConfig(
    name="tiny",
    tokenizer=TokenizerConfig(
        sizes=(1, 2, 4), codes=(4, 8, 8), dim=4, width=8, patch=3, training=TRAINING
    ),
    generator=GeneratorConfig(dim=16, depth=1, heads=2, training=TRAINING),
    sampling=SamplingConfig(guidance=(0.5,)),
)


def stripes(count: int, seed: int) -> LabelledImages:
    """Class 0 has horizontal, class 1 vertical stripes of random phase; 11 x 12 pixels."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    phase = torch.randint(6, (count, 1, 1), generator=generator)
    rows, columns = torch.arange(11)[None, :, None], torch.arange(12)[None, None]
    place = torch.where(labels[:, None, None] == 0, rows, columns) + phase
    return LabelledImages(((place % 6) < 3).float()[:, None], labels)


IMAGES = Images(stripes(128, 0), stripes(64, 1), 2)
