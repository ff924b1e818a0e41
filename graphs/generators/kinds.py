"""All kinds of generators: the config of each, and the object that is made from it."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from graphs.generators.common.kind import GeneratorKind
from graphs.generators.contraction.config import ContractionConfig
from graphs.generators.contraction.kind import Contraction
from graphs.generators.expansion.config import ExpansionConfig
from graphs.generators.expansion.kind import Expansion
from graphs.generators.masked.config import MaskedConfig
from graphs.generators.masked.kind import Masked


def _with_kind(section: object) -> object:
    """Settings that name no kind are those of a contraction."""
    return {"kind": "contraction", **section} if isinstance(section, dict) else section


ModelConfig = Annotated[
    ContractionConfig | ExpansionConfig | MaskedConfig,
    Field(discriminator="kind"),
    BeforeValidator(_with_kind),
]


def kind_of(config: ContractionConfig | ExpansionConfig | MaskedConfig) -> GeneratorKind:
    """The kind of generator that a config describes."""
    match config:
        case ContractionConfig():
            return Contraction(config)
        case ExpansionConfig():
            return Expansion(config)
        case MaskedConfig():
            return Masked(config)
