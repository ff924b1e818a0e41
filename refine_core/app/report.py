"""Markdown reports: tables, and the files that hold them."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Literal

from refine_core.storage.files import write_text

Row = Mapping[str, object] | Sequence[object]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Args:
        title: Its heading.
        key: Key of its cells in rows that are mappings; by default the title.
        form: How numbers are written: a format such as ".1%", or a function. By default floats
            have four digits, integers all.
        align: By default columns of numbers are aligned to the right, others to the left.
    """

    title: str
    key: str = ""
    form: str | Callable[[float], str] = ""
    align: Literal["left", "right"] | None = None


def table(columns: Iterable[Column | str], rows: Iterable[Row], *, missing: str = "") -> str:
    """Write rows as a Markdown table, without a newline at the end.

    >>> print(table(["name", Column("share", form=".1%")], [("a", 0.25), ("b", None)]))
    | name | share |
    |---|---:|
    | a | 25.0% |
    | b |  |

    Args:
        columns: In order; a string is a column of that title.
        rows: Mappings by key, or sequences in the order of the columns.
        missing: What stands for None, NaN and keys that a row lacks.

    Raises:
        ValueError: A sequence has another length than the columns.
    """
    heads = [Column(each) if isinstance(each, str) else each for each in columns]
    keys = [head.key or head.title for head in heads]
    values = [
        [row.get(key) for key in keys] if isinstance(row, Mapping) else list(row) for row in rows
    ]
    if any(len(row) != len(heads) for row in values):
        raise ValueError(f"expected rows of {len(heads)} cells")
    cells = [
        [_cell(value, head.form, missing) for value, head in zip(row, heads, strict=True)]
        for row in values
    ]
    aligned = [
        head.align or _align([row[place] for row in values]) for place, head in enumerate(heads)
    ]
    rules = ["---:" if align == "right" else "---" for align in aligned]
    lines = [[_text(head.title) for head in heads], *cells]
    head, *body = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([head, f"|{'|'.join(rules)}|", *body])


def number(value: float) -> str:
    """Three digits, or all before the point.

    >>> number(1234.5), number(0.9876), number(0.00012345)
    ('1234', '0.988', '0.000123')
    """
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def write_report(path: str | Path, *parts: str) -> None:
    """Write headings, paragraphs and tables to a file, a blank line between them; skip empty."""
    write_text(path, "\n\n".join(part.strip("\n") for part in parts if part) + "\n")


def _cell(value: object, form: str | Callable[[float], str], missing: str) -> str:
    if value is None or (isinstance(value, Real) and math.isnan(value)):
        return missing
    if isinstance(value, bool) or not isinstance(value, Real):
        return _text(str(value))
    if callable(form):
        return form(float(value))
    return format(value, form or ("" if isinstance(value, Integral) else ".4g"))


def _align(values: Sequence[object]) -> Literal["left", "right"]:
    """Right for numbers alone, left where a cell is text or all are missing."""
    known = [value for value in values if value is not None]
    numeric = known and all(isinstance(v, Real) and not isinstance(v, bool) for v in known)
    return "right" if numeric else "left"


def _text(text: str) -> str:
    """Text that does not end the cell it stands in."""
    return text.replace("|", "\\|").replace("\n", " ")
