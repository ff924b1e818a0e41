"""Sections of a config that are of one of several kinds, each a config with a field `kind`.

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
