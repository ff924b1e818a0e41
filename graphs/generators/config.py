"""The config of every kind of generator."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from graphs.generators.contraction.config import ContractionConfig
from graphs.generators.expansion.config import ExpansionConfig
from graphs.generators.masked.config import MaskedConfig


def _with_kind(section: object) -> object:
    """Settings that name no kind are those of a contraction."""
    return {"kind": "contraction", **section} if isinstance(section, dict) else section


ModelConfig = Annotated[
    ContractionConfig | ExpansionConfig | MaskedConfig,
    Field(discriminator="kind"),
    BeforeValidator(_with_kind),
]
