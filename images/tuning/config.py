"""Which methods are compared, and settings of a config by their dotted paths."""

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Literal

from images.config import DistillationConfig, ImagesConfig
from refine_core.config.ranges import OneOrMore, PositiveFloat, PositiveInt, Share
from refine_core.config.schema import config, from_dict, to_dict
from refine_core.errors import InputError

SAMPLING = "sampling."
TOKENIZER = "tokenizer."
MODEL_OF = "@"
"""Stands before the name of an arm, in place of the path of its model."""


@config
class MethodArm:
    """One row of the comparison: what differs from the base."""

    name: str
    """Its name in the table."""
    settings: dict[str, object] = field(default_factory=dict)
    """Values by their dotted path in the base; "@name" stands for the model of another arm."""
    tune: dict[str, tuple[object, ...]] = field(default_factory=dict)
    """Values to try, by the dotted path of a setting of sampling; the best on held-out images."""
    calibrate: Literal["no", "likelihood", "entropy"] = "no"
    """What temperatures are calibrated by, on held-out images."""
    student: DistillationConfig | None = None
    """A student that is trained of the model and takes its place; its name, data, model and seed
    are those of the arm. null measures the model itself."""
    shown: bool = True
    """Whether it has a row, and is not there for others to use its model."""

    def __post_init__(self) -> None:
        """Refuse to tune what is trained."""
        if not sampling_only(self.tune):
            raise InputError(
                f"found {', '.join(self.tune)} under `tune` of {self.name!r}, expected settings "
                f"that begin with {SAMPLING!r}"
            )

    @property
    def needs(self) -> set[str]:
        """Names of the arms whose models it uses."""
        return set(_referred([self.settings, self.tune]))

    @property
    def tokenizer(self) -> dict[str, object]:
        """The settings that change the tokeniser."""
        return {k: v for k, v in self.settings.items() if k.startswith(TOKENIZER)}

    @property
    def sampling(self) -> dict[str, object]:
        """The settings of sampling."""
        return {k: v for k, v in self.settings.items() if k.startswith(SAMPLING)}

    @property
    def training(self) -> dict[str, object]:
        """The settings that change the training."""
        return {k: v for k, v in self.settings.items() if not k.startswith(SAMPLING)}


@config
class MethodsConfig:
    """Methods compared, off and on, over one tokeniser a seed, but where an arm has its own."""

    base: ImagesConfig = field(default_factory=ImagesConfig)
    """What all arms have in common; its `holdout` is for tuning and calibration."""
    arms: OneOrMore[MethodArm] = field(default_factory=lambda: (MethodArm("off"),))
    """The rows; the first is what the others are compared with."""
    seeds: OneOrMore[int] = (0, 1, 2)
    """Every arm is trained and measured once for each."""
    images: PositiveInt | None = None
    """At most that many training and test images are used; null uses all."""
    samples: PositiveInt = 5000
    """Images sampled to measure an arm, at most as many as there are test images."""
    tuning_samples: PositiveInt = 2000
    """Images sampled for each point that is tried."""
    trials: PositiveInt = 20
    """Most points that are tried for an arm."""
    workers: PositiveInt = 2
    """Processes, of one thread each."""
    note: str = ""
    """Printed at the top of the report, e.g. that this is a preset."""

    def __post_init__(self) -> None:
        """Refuse arms that do not fit the base or each other."""
        names = [arm.name for arm in self.arms]
        if len(set(names)) < len(names):
            raise InputError(f"found arms {names}, expected a name of its own for each")
        for arm in self.arms:
            if unknown := arm.needs - set(names):
                raise InputError(f"found {MODEL_OF}{min(unknown)}, expected the name of an arm")
            with_settings(self.base, arm.settings)
            check_space(self.base, {k: list(v) for k, v in arm.tune.items()})
            if not self.base.holdout and (arm.tune or arm.calibrate != "no"):
                raise InputError(
                    f"found no held-out images to tune {arm.name!r} on: set `base.holdout`"
                )


@config
class SearchConfig:
    """A search for the settings that sample best."""

    base: ImagesConfig = field(default_factory=ImagesConfig)
    """What the settings are changed in."""
    model: str | None = None
    """A trained model, where only settings of sampling are searched over; it replaces `base`."""
    space: dict[str, tuple[object, ...]] = field(default_factory=dict)
    """Values to try by the dotted path of a setting, e.g. sampling.guidance, tokenizer.parts."""
    trials: PositiveInt = 20
    """Random points that are measured first."""
    fidelities: OneOrMore[PositiveInt] = (500, 2000)
    """Images sampled for a trial, from the first trials to the last; epochs of the generator,
    where models are trained."""
    budget: PositiveFloat = 1_000_000.0
    """Largest sum of the network calls of all samples; of epochs, where models are trained."""
    samples: PositiveInt = 2000
    """Images sampled for a trial, where models are trained."""
    accuracy: Share = 0.98
    """Least share of samples recognised as their class."""
    seed: int = 0
    """Seed of the points; that of samples is fixed."""

    def __post_init__(self) -> None:
        """Refuse values that do not fit the base."""
        check_space(self.base, {name: list(values) for name, values in self.space.items()})
        if self.model is not None and not sampling_only(self.space):
            raise InputError(
                "found settings of training for a trained model, expected names that begin with "
                f"{SAMPLING!r}: leave `model` out, or search over these"
            )


def sampling_only(space: Mapping[str, object]) -> bool:
    """Whether a space has settings of sampling alone."""
    return all(name.startswith(SAMPLING) for name in space)


def with_settings(config: ImagesConfig, settings: Mapping[str, object]) -> ImagesConfig:
    """A config with other values at dotted paths; a method that a path names is switched on.

    Raises:
        InputError: There is no such setting, or a value does not fit.
    """
    data = to_dict(config)
    for path, value in settings.items():
        *sections, last = path.split(".")
        section: object = data
        for before, name in zip(["", *sections], sections, strict=False):
            if before == "methods" and isinstance(section, dict):
                section.setdefault(name, {})
            section = section.get(name) if isinstance(section, dict) else None
        if not isinstance(section, dict):
            raise InputError(f"Found the setting {path!r}, expected the path of a config's field.")
        section[last] = value
    return from_dict(ImagesConfig, data, "settings")


def check_space(config: ImagesConfig, space: Mapping[str, object]) -> dict[str, list[object]]:
    """A space whose every value fits the config, alone.

    Raises:
        InputError: A name has no list of values, or a value does not fit.
    """
    for name, values in space.items():
        if not isinstance(values, list) or not values:
            raise InputError(f"{name}: found {values!r}, expected a list of values to try.")
        for value in values:
            with_settings(config, {name: value})
    return {name: values for name, values in space.items() if isinstance(values, list)}


def resolved(value: object, models: Mapping[str, str]) -> object:
    """A value with the path of a model in place of "@" and the name of an arm."""
    if isinstance(value, str) and value.startswith(MODEL_OF):
        return models[value.removeprefix(MODEL_OF)]
    if isinstance(value, Mapping):
        return {key: resolved(each, models) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [resolved(each, models) for each in value]
    return value


def _referred(value: object) -> Iterator[str]:
    """Names of the arms that a value refers to."""
    if isinstance(value, str) and value.startswith(MODEL_OF):
        yield value.removeprefix(MODEL_OF)
    if isinstance(value, Mapping | list | tuple):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _referred(each)
