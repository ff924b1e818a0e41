"""Training a tokeniser, then a generator over its codes."""

from pathlib import Path

from images.augmentation import AugmentedTraining
from images.build import build, build_tokenizer
from images.code_metrics import code_bits, tokenizer_metrics
from images.config import ImagesConfig
from images.data.load import Images
from images.model import ImageModel
from refine_core.errors import InputError
from refine_core.training.data import Tensors
from refine_core.training.stages import Stages


def train(
    config: ImagesConfig, images: Images, runs: Path = Path("runs"), *, quiet: bool = False
) -> ImageModel:
    """Train tokeniser, then generator; continue where an earlier call was stopped.

    Everything goes to `runs/<config.name>/`; the model is `model.safetensors` there.

    Args:
        config: What to train.
        images: Training images; metrics are those of the test images.
        runs: Folder of all runs.
        quiet: Whether to show no progress.

    Raises:
        InputError: A section of the config does not fit the images or another section, or the
            folder holds a run with another seed, configuration or data.
    """
    train_images, test_images = images.train.images, images.test.images
    labels, test_labels = images.train.labels, images.test.labels
    data = Tensors(train_images) if labels is None else Tensors(train_images, labels)
    stages = Stages(runs / config.name, config.seed, data.digest(), quiet)
    with stages.seeded(0):
        _check(config, images)
    with stages.seeded(1):
        tokens = build_tokenizer(config.tokenizer, images.shape[0], images.shape[1:])
    tokens = stages.train(
        tokens,
        Tensors(train_images),
        config.tokenizer.training,
        stream=2,
        config=config.tokenizer,
        name="tokenizer",
        validate=lambda module: tokenizer_metrics(module, test_images),
    )
    with stages.seeded(3):
        refiner = build(config.generator, tokens, images.classes)
    trained = stages.train(
        AugmentedTraining(refiner, config.generator.augmentation),
        data,
        config.generator.training,
        stream=4,
        config=config,
        name="generator",
        validate=lambda module: {"test_bits": code_bits(module.refiner, test_images, test_labels)},
    )
    model = ImageModel(trained.refiner, config, images.shape, images.classes)
    model.save(stages.folder / "model.safetensors")
    return model


def _check(config: ImagesConfig, images: Images) -> None:
    """Refuse what could not be built or trained, before anything is trained."""
    ImageModel.build(config, images.shape, images.classes)
    for name, section in (("tokenizer", config.tokenizer), ("generator", config.generator)):
        if section.training.batch > len(images.train):
            raise InputError(
                f"Found `{name}.training.batch` {section.training.batch} for {len(images.train)} "
                "training images: give more images or a smaller batch."
            )
