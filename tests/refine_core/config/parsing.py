"""A config of a command line that has nothing but a config."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from refine_core.app.options import arguments

T = TypeVar("T")


def parse(
    cls: type[T], argv: Sequence[str], path: Path | None = None, prog: str = "refine things train"
) -> T:
    """The config of a command `prog` whose only parameter is one of class `cls`, of a file."""

    def whole(config: T) -> T:
        return config

    whole.__annotations__["config"] = cls
    whole.__doc__ = cls.__doc__
    return arguments(whole, [*argv, *(["--config", str(path)] if path else [])], prog)
