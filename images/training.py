"""Training a tokeniser, then a generator over its codes, then the decoder once more."""

from pathlib import Path

from images.adversarial import AdversarialDecoder, WithStates, sampled_states
from images.augmentation import AugmentedTraining
from images.build import ImageRefiner, build, build_network, build_tokenizer, sampling
from images.code_metrics import code_bits, tokenizer_metrics
from images.config import ImagesConfig
from images.data.load import Images
from images.model import ImageModel
from refine_core.errors import InputError
from refine_core.noise import derive
from refine_core.residual import ResidualTokenizer
from refine_core.training.data import Tensors
from refine_core.training.stages import Stages


def train(
    config: ImagesConfig,
    images: Images,
    runs: Path = Path("runs"),
    *,
    seconds: float | None = None,
    quiet: bool = False,
) -> ImageModel:
    """Train tokeniser, generator and decoder; continue where an earlier call was stopped.

    Everything goes to `runs/<config.name>/`; the model is `model.safetensors` there.

    Args:
        config: What to train.
        images: Training images, of which the last `config.holdout` are left out; metrics are those
            of the test images.
        runs: Folder of all runs.
        seconds: About how long to train each of these, in place of numbers of epochs.
        quiet: Whether to show no progress.

    Raises:
        InputError: A section of the config does not fit the images or another section, or the
            folder holds a run with another seed, configuration or data.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import torch
    >>> import images
    >>> from refine_core import Optimisation
    >>> some, opt = images.LabelledImages(torch.rand(32, 1, 8, 8), None), Optimisation(1, batch=16)
    >>> tokenizer = images.TokenizerConfig(sizes=(1, 2), codes=(8,), width=8, training=opt)
    >>> generator = images.GeneratorConfig(dim=16, depth=1, training=opt)
    >>> config = images.ImagesConfig(name="mine", tokenizer=tokenizer, generator=generator)
    >>> with TemporaryDirectory() as runs:
    ...     model = images.train(config, images.Images(some, some, 0), Path(runs), quiet=True)
    ...     again = images.load(Path(runs, "mine"))
    >>> again.sample(2).shape
    torch.Size([2, 1, 8, 8])
    """
    images = images.split(config.holdout)[0]
    digest = training_data(images).digest()
    stages = Stages(runs / config.name, config.seed, digest, quiet, seconds)
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
    if config.adversarial is not None:
        sharpen_decoder(config, trained.refiner, images, stages)
    model = ImageModel(trained.refiner, config, images.shape, images.classes)
    model.save(stages.folder / "model.safetensors")
    return model


def sharpen_decoder(
    config: ImagesConfig, refiner: ImageRefiner, images: Images, stages: Stages
) -> None:
    """Train the decoder of a generator's tokeniser on, in place; see `images.adversarial`."""
    own, tokens, train = config.adversarial, refiner.tokenizer, images.train
    assert own is not None and isinstance(tokens, ResidualTokenizer)
    states = sampled_states(refiner, train.labels, own.samples, derive(stages.seed, 5))
    with stages.seeded(6):
        module = AdversarialDecoder(tokens, images.shape, own.fidelity)
    trained = stages.train(
        module,
        WithStates(train.images, states, own.sampled),
        own.training,
        stream=7,
        config=config,
        name="decoder",
        validate=lambda module: tokenizer_metrics(module.tokenizer, images.test.images),
    )
    tokens.decoder.load_state_dict(trained.tokenizer.decoder.state_dict())
    tokens.requires_grad_(False)


def _check(config: ImagesConfig, images: Images) -> None:
    """Refuse what could not be built or trained, before anything is trained."""
    scales = len(build_network(config, images.shape, images.classes).tokenizer.schedule)
    sampling(config.sampling, scales)
    sections = {"tokenizer": config.tokenizer.training, "generator": config.generator.training}
    if config.adversarial is not None:
        sections["adversarial"] = config.adversarial.training
        if min(images.shape[1:]) < 4:
            raise InputError(
                f"Found images of {images.shape[1]}x{images.shape[2]} for `adversarial`, expected "
                "4 pixels a side at least: leave it out."
            )
    for name, training in sections.items():
        if training.batch > len(images.train):
            raise InputError(
                f"Found `{name}.training.batch` {training.batch} for {len(images.train)} "
                "training images: give more images or a smaller batch."
            )
