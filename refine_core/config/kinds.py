"""Sections of a config that are of one of several kinds, each a config with its own field `kind`.

>>> from typing import Annotated, Literal
>>> from pydantic import Field
>>> from refine_core.config.schema import config
>>> @config
... class Line:
...     kind: Literal["line"] = "line"
...     width: int = 1
>>> @config
... class Dots:
...     kind: Literal["dots"] = "dots"
...     width: int = 1
...     gap: int = 2
>>> @config
... class Plot:
...     style: Annotated[Line | Dots, Field(discriminator="kind")] = Line()
>>> of_kinds(Plot(Line(width=3)), {"style.kind": "dots"})
Plot(style=Dots(kind='dots', width=3, gap=2))
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_args, get_type_hints

from refine_core.config.mistakes import configs_at
from refine_core.config.schema import from_dict, to_dict

T = TypeVar("T")


def of_kinds(config: T, kinds: Mapping[str, str], source: str = "config") -> T:
    """A config whose sections are of other kinds; they keep the fields that both kinds have.

    Args:
        config: The config.
        kinds: Kind of each section by the dotted path of its field `kind`.
        source: Where the kinds come from, for the message.

    Raises:
        InputError: A section cannot be of that kind, or not with the fields that it keeps.
    """
    data = to_dict(config)
    for path, kind in kinds.items():
        *sections, _ = path.split(".")
        choices = configs_at(type(config), sections)
        if len(choices) > 1:
            _change(data, sections, kind, _named(choices, kind))
    return from_dict(type(config), data, source)


def _change(data: dict[str, Any], sections: Sequence[str], kind: str, cls: type | None) -> None:
    """Make a section of another kind, with the fields that `cls` has too."""
    for name in sections[:-1]:
        data = data[name]
    section = data[sections[-1]]
    if section["kind"] != kind:
        known = [] if cls is None else [field.name for field in dataclasses.fields(cls)]
        data[sections[-1]] = {k: v for k, v in section.items() if k in known} | {"kind": kind}


def _named(choices: Sequence[type], kind: str) -> type | None:
    """The config whose field `kind` admits this one."""
    return next((cls for cls in choices if kind in get_args(get_type_hints(cls)["kind"])), None)
