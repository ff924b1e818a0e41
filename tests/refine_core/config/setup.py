"""A config with a field of every type, to test with."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from refine_core.config.schema import config
from refine_core.errors import InputError


@config
class Table:
    """Codes from a table."""

    kind: Literal["table"] = "table"
    codes: Annotated[int, Field(gt=0)] = 8
    """Rows of the table."""


@config
class Grid:
    """Codes on a grid."""

    kind: Literal["grid"] = "grid"
    levels: tuple[int, ...] = (3, 3)
    """Values along each axis."""


@config
class Model:
    """What is trained."""

    width: Annotated[int, Field(gt=0)] = 64
    """Channels of every layer."""
    sizes: tuple[int, ...] = (1, 2, 4)
    drop: float | None = None
    span: tuple[float, float] = (0.0, 1.0)
    act: Literal["gelu", "relu"] = "gelu"
    guidance: float | tuple[float, ...] = 1.0
    codes: Annotated[Table | Grid, Field(discriminator="kind")] = Table()

    def __post_init__(self) -> None:
        """Admit even widths only."""
        if self.width % 2:
            raise InputError(f"width is {self.width}, expected an even number")


@config
class Setup:
    """A whole run."""

    name: str
    model: Model = Model()
    rate: float = 1e-3
    """Learning rate."""
    data: Path = Path("data")
    shuffle: bool = True
    stages: tuple[Model, ...] = ()
    last: Table | None = None
    weights: dict[str, float] = dataclasses.field(default_factory=dict)
