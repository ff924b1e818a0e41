"""An extension of griffe: examples in docstrings appear as code, without the flags of doctest."""

import re
from typing import Any

from griffe import Extension, Object

EXAMPLE = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)


class Doctests(Extension):
    """Fences the examples of each docstring."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Change a docstring before its sections are told apart."""
        if obj.docstring:
            text = re.sub(r" +# doctest: .*", "", obj.docstring.value)
            obj.docstring.value = EXAMPLE.sub(lambda found: f"```pycon\n{found[0]}\n```", text)
