"""Training a tokeniser, then a generator over its codes."""

from pathlib import Path

from images.augmentation import AugmentedTraining
from images.build import build, build_tokenizer
from images.code_metrics import code_bits, tokenizer_metrics
from images.config import ImagesConfig
from images.data.load import Images
from images.model import ImageModel
from refine_core.errors import InputError
from refine_core.residual import ResidualTokenizer
from refine_core.training.data import Tensors
from refine_core.training.stages import Stages


def train(
    config: ImagesConfig, images: Images, runs: Path = Path("runs"), *, quiet: bool = False
) -> ImageModel:
    """Train tokeniser, then generator; continue where an earlier call was stopped.

    Everything goes to `runs/<config.name>/`; the model is `model.safetensors` there.

    Args:
        config: What to train.
        images: Training images, of which the last `config.holdout` are left out; metrics are those
            of the test images.
        runs: Folder of all runs.
        quiet: Whether to show no progress.

    Raises:
        InputError: A section of the config does not fit the images or another section, or the
            folder holds a run with another seed, configuration or data.
    """
    images = images.split(config.holdout)[0]
    stages = Stages(runs / config.name, config.seed, training_data(images).digest(), quiet)
    with stages.seeded(0):
        _check(config, images)
    return train_generator(config, train_tokenizer(config, images, stages), images, stages)


def training_data(images: Images) -> Tensors:
    """Training images, with their labels if there are any."""
    labels = images.train.labels
    return Tensors(images.train.images, *([] if labels is None else [labels]))


def train_tokenizer(
    config: ImagesConfig, images: Images, stages: Stages, name: str = "tokenizer"
) -> ResidualTokenizer:
    """Train the tokeniser in a folder of the run."""
    with stages.seeded(1):
        tokens = build_tokenizer(config.tokenizer, images.shape[0], images.shape[1:])
    return stages.train(
        tokens,
        Tensors(images.train.images),
        config.tokenizer.training,
        stream=2,
        config=config.tokenizer,
        name=name,
        validate=lambda module: tokenizer_metrics(module, images.test.images),
    )


def train_generator(
    config: ImagesConfig, tokens: ResidualTokenizer, images: Images, stages: Stages
) -> ImageModel:
    """Train the generator over a tokeniser; write the model to the run's folder."""
    test = images.test
    with stages.seeded(3):
        refiner = build(config.generator, tokens, images.classes)
    trained = stages.train(
        AugmentedTraining(refiner, config.generator.augmentation),
        training_data(images),
        config.generator.training,
        stream=4,
        config=config,
        name="generator",
        validate=lambda module: {"test_bits": code_bits(module.refiner, test.images, test.labels)},
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
