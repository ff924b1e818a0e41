"""Settings that all kinds of generators share: of the network, and of sampling."""

from collections.abc import Collection, Mapping
from dataclasses import field, fields
from typing import ClassVar, Literal, TypedDict

from refine_core.config.ranges import AtLeastOne, NonNegativeFloat, PositiveInt, ShareBelowOne
from refine_core.config.schema import config
from refine_core.errors import InputError
from refine_core.methods.registry import SamplingMethods
from refine_core.training.config import Optimisation

Matching = Literal["random", "rings", "dense", "tight"]


@config
class NetworkConfig:
    """A set transformer, and how it is trained."""

    takes_properties: ClassVar[bool] = False

    dim: PositiveInt = 128
    """Width; a multiple of `heads`."""
    depth: PositiveInt = 4
    """Blocks."""
    heads: PositiveInt = 8
    """Attention heads."""
    dropout: ShareBelowOne = 0.0
    """Dropout inside the blocks."""
    reach: PositiveInt = 8
    """Largest distance that attention tells apart."""
    start_from: str | None = None
    """A shipped model's name, a run's folder or a file: training starts from its weights, as far
    as names and shapes agree; weights of new properties start at zero."""
    training: Optimisation = field(default_factory=Optimisation)

    def __post_init__(self) -> None:
        if self.dim % self.heads:
            raise ValueError(
                f"found dim {self.dim} and heads {self.heads}, expected dim to be a multiple of "
                "heads"
            )


@config
class SamplingConfig:
    """How a model samples by default; what its kind does not know must be left out.

    Raises:
        InputError: A value is out of its range; what the model's kind does not know is refused by
            `GraphsConfig`.

    >>> import graphs
    >>> sampling = graphs.SamplingConfig(temperature=0.9, guidance=1.0)
    >>> graphs.GraphsConfig(sampling=sampling).sampling.guidance
    1.0
    >>> graphs.GraphsConfig(model=graphs.MaskedConfig(), sampling=sampling)
    Traceback (most recent call last):
    ...
    refine_core.errors.InputError: GraphsConfig: Found guidance 1.0 for a generator of kind...
    """

    temperature: NonNegativeFloat = 1.0
    """Divides the logits; 0 takes the likeliest."""
    first_temperature: NonNegativeFloat | None = None
    """Temperature of the first call, which says what a graph consists of; null takes that of the
    others (contraction)."""
    guidance: NonNegativeFloat = 0.0
    """Weight of classifier-free guidance, where properties are asked for (contraction)."""
    calls: PositiveInt | None = None
    """Network calls; null makes 32 (masked). The calls of other kinds follow from the size of the
    graph."""
    particles: AtLeastOne = 2.0
    """Draws that a sample takes on average where there is a residual energy (`graphs.energy`)."""
    methods: SamplingMethods = field(default_factory=dict)
    """Methods of sampling, after the generator's own, as a list of names or fields by name
    (contraction)."""


class SamplingOptions(TypedDict, total=False):
    """Options of `graphs.model.GraphModel.sample` that change the number of network calls."""

    calls: int


NO_ADVICE: Mapping[str, str] = {}


def check_known(
    kind: str,
    sampling: SamplingConfig,
    known: Collection[str],
    advice: Mapping[str, str] = NO_ADVICE,
) -> None:
    """Refuse settings that a kind does not know, unless they are the default.

    Args:
        kind: Its name.
        sampling: The settings.
        known: Names of those that the kind knows.
        advice: Says of other names why, and what to do.

    Raises:
        InputError: There is such a setting.
    """
    for setting in fields(SamplingConfig):
        value = getattr(sampling, setting.name)
        if setting.name not in known and value != getattr(SamplingConfig(), setting.name):
            why = advice.get(setting.name, "which has no such setting: leave it out")
            raise InputError(
                f"Found {setting.name} {value!r} for a generator of kind {kind!r}, {why}."
            )


def refuse_properties(kind: str, properties: int) -> None:
    """Refuse to be conditioned on properties.

    Raises:
        InputError: There are some.
    """
    if properties:
        raise InputError(
            f"A generator of kind {kind!r} takes no properties: leave `data.properties` empty, or "
            "set `model.kind` to contraction."
        )
