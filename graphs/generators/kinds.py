"""The object of every kind of generator."""

from graphs.generators.common.kind import GeneratorKind
from graphs.generators.config import ModelConfig
from graphs.generators.contraction.config import ContractionConfig
from graphs.generators.contraction.kind import Contraction
from graphs.generators.expansion.config import ExpansionConfig
from graphs.generators.expansion.kind import Expansion
from graphs.generators.masked.config import MaskedConfig
from graphs.generators.masked.kind import Masked


def kind_of(config: ModelConfig) -> GeneratorKind:
    """The kind of generator that a config describes."""
    match config:
        case ContractionConfig():
            return Contraction(config)
        case ExpansionConfig():
            return Expansion(config)
        case MaskedConfig():
            return Masked(config)
