"""Distilling a trained model of images into one that needs fewer network calls."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import torch
from torch import nn

from images.build import ImageRefiner, build, sampling
from images.code_metrics import code_bits
from images.config import DistillationConfig, ImagesConfig, SamplingConfig
from images.data.load import Images
from images.model import ImageModel
from refine_core.errors import InputError
from refine_core.methods.students.adapter import adapt, merge
from refine_core.methods.students.distillation import Distillation, start_from_teacher
from refine_core.methods.students.merging import MergedTokenizer, merged_scales
from refine_core.storage.files import digest
from refine_core.training.data import Tensors
from refine_core.training.stages import Stages


def distil(
    model: ImageModel,
    config: DistillationConfig,
    images: Images,
    runs: Path = Path("runs"),
    *,
    quiet: bool = False,
) -> ImageModel:
    """Train a student of a model; continue where an earlier call was stopped.

    Everything goes to `runs/<config.name>/`; the student is `model.safetensors` there, and is
    loaded, sampled and measured as any model. Its codes are those of the model, so that their bits
    compare.

    Args:
        model: The trained model. It takes the place of `config.model`, and is not changed.
        config: The student and its training.
        images: Training images; metrics are those of the test images.
        runs: Folder of all runs.
        quiet: Whether to show no progress.

    Raises:
        InputError: The config does not fit the model or the images, or the folder holds a run with
            another seed, configuration, model or data.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import torch
    >>> import images
    >>> from refine_core import Optimisation
    >>> model = images.load("mnist")
    >>> digits = images.LabelledImages(model.sample(8), torch.arange(8))  # for lack of true ones
    >>> config = images.DistillationConfig(training=Optimisation(epochs=1, batch=4))
    >>> with TemporaryDirectory() as runs:
    ...     student = images.distil(
    ...         model, config, images.Images(digits, digits, 10), Path(runs), quiet=True
    ...     )
    >>> len(model.schedule), len(student.schedule)  # network calls
    (10, 4)
    """
    labels = images.train.labels if model.classes else None
    data = Tensors(images.train.images, *([] if labels is None else [labels]))
    weights = [tensor.cpu().numpy() for tensor in model.refiner.state_dict().values()]
    stages = Stages(runs / config.name, config.seed, digest(data.digest(), *weights), quiet)
    with stages.seeded(0):
        _check(model, config, images)
    for number, calls in enumerate(config.rounds):
        model = _round(model, config, calls, images, data, stages, number)
    model.save(stages.folder / "model.safetensors")
    return model


def _round(
    teacher: ImageModel,
    config: DistillationConfig,
    calls: Sequence[int],
    images: Images,
    data: Tensors,
    stages: Stages,
    number: int,
) -> ImageModel:
    """The student of one round."""
    with stages.seeded(2 * number + 1):
        student, own = _untrained(teacher, config, calls)
    left = start_from_teacher(student, teacher.refiner)
    if config.adapter:
        _adapt(student, config.adapter, left)
    labels = images.test.labels if teacher.classes else None

    def validate(module: nn.Module) -> dict[str, float]:
        trained = _student(module)
        return {"test_bits": code_bits(trained, images.test.images, labels)}

    fitted = stages.train(
        student if config.targets == "data" else _distillation(teacher, student, config),
        data,
        config.training,
        stream=2 * number + 2,
        config=config,
        name=f"round_{number + 1}",
        validate=validate,
    )
    student = _student(fitted)
    merge(student)
    return ImageModel(student.eval(), own, teacher.shape, teacher.classes)


def _untrained(
    teacher: ImageModel, config: DistillationConfig, calls: Sequence[int]
) -> tuple[ImageRefiner, ImagesConfig]:
    """A student with random weights over the teacher's codes, and the config of its model."""
    whole = teacher.tokenizer
    if isinstance(whole, MergedTokenizer):
        whole = whole.unmerged()
    tokens = MergedTokenizer(whole, calls)
    groups = merged_scales(teacher.schedule, tokens.schedule)
    old = teacher.config
    own = replace(
        old,
        name=config.name,
        tokenizer=replace(old.tokenizer, calls=tuple(calls)),
        generator=replace(old.generator, head=config.head, training=config.training),
        sampling=SamplingConfig(methods=old.sampling.methods)
        if _learns_sampling(config)
        else _fewer(old.sampling, groups),
    )
    return build(own.generator, tokens, teacher.classes), own


def _distillation(
    teacher: ImageModel, student: ImageRefiner, config: DistillationConfig
) -> nn.Module:
    """What trains a student from its teacher."""
    found = teacher.sampling(torch.zeros(1) if teacher.classes else None)
    plain = sampling(SamplingConfig(), len(teacher.schedule))
    return Distillation(
        teacher.refiner,
        student,
        sampling=found if config.guided else plain,
        targets="draws" if config.targets == "draws" else "laws",
        states=config.states,
    )


def _student(module: nn.Module) -> ImageRefiner:
    """The student in what was trained."""
    found = module.student if isinstance(module, Distillation) else module
    assert isinstance(found, nn.Module)
    return found  # type: ignore[return-value]


def _adapt(student: ImageRefiner, rank: int, left: Sequence[str]) -> None:
    """Freeze all but adapters of the transformer, and parameters that no teacher has."""
    student.requires_grad_(False)
    adapt(student.transformer, rank)
    for name, parameter in student.named_parameters():
        if name in left:
            parameter.requires_grad_(True)


def _learns_sampling(config: DistillationConfig) -> bool:
    """Whether the student needs no guidance and no temperature, as it has learnt them."""
    return config.guided and config.targets != "data"


def _fewer(config: SamplingConfig, groups: Sequence[range]) -> SamplingConfig:
    """How scales are sampled, averaged over those that became one."""

    def mean(values: tuple[float, ...]) -> tuple[float, ...]:
        if len(values) == 1:
            return values
        return tuple(fmean(values[k] for k in group) for group in groups)

    return replace(
        config,
        temperature=mean(config.temperature),
        top_p=mean(config.top_p),
        guidance=mean(config.guidance),
    )


def _check(model: ImageModel, config: DistillationConfig, images: Images) -> None:
    """Refuse what could not be trained, before anything is."""
    model.check_data(images, labelled=True)
    if config.training.batch > len(images.train):
        raise InputError(
            f"Found `training.batch` {config.training.batch} for {len(images.train)} training "
            "images: give more images or a smaller batch."
        )
    for calls in config.rounds:
        _untrained(model, config, calls)
