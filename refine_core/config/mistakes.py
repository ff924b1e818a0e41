"""Sentences about mistakes in a config: the dotted path, what was found, what was expected."""

import dataclasses
import re
import reprlib
from collections.abc import Sequence
from typing import Any, cast, get_args, get_type_hints

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from refine_core.errors import InputError, suggest


def refusal(
    source: str, cls: type, data: object, error: ValidationError, *, one_line: bool = False
) -> InputError:
    """Turn what pydantic found into one message.

    Args:
        source: Where the data come from, such as the name of a file.
        cls: The config that should have been made from them.
        data: The data.
        error: What pydantic found.
        one_line: Whether several mistakes share a line.

    Returns:
        A sentence for one mistake; for several a heading and all of them.
    """
    found: dict[str, list[str]] = {}
    for detail in error.errors(include_url=False):
        path = _path(data, detail)
        # Members of a union are refused one by one; together they are one mistake.
        found.setdefault(".".join(map(str, path)), []).append(_complaint(cls, data, path, detail))
    lines = [
        f"{path}: {' or '.join(dict.fromkeys(said))}".removeprefix(": ")
        for path, said in found.items()
    ]
    if len(lines) == 1:
        return InputError(f"{source}: {lines[0]}")
    before, between = (" ", "; ") if one_line else ("\n  ", "\n  ")
    return InputError(f"{source} has {len(lines)} mistakes:{before}{between.join(lines)}")


def _path(data: object, detail: ErrorDetails) -> list[int | str]:
    """Drop from pydantic's location what is not in the data: its names for members of a union."""
    path: list[int | str] = []
    for part in detail["loc"]:
        within = isinstance(data, list | tuple) and isinstance(part, int) and part < len(data)
        if within or (isinstance(data, dict) and part in data):
            data = cast(Any, data)[part]
            path.append(part)
    if detail["type"] == "union_tag_invalid":
        return [*path, _discriminator(detail)]
    return [*path, detail["loc"][-1]] if detail["type"] == "missing" else path


def _discriminator(detail: ErrorDetails) -> str:
    """Name of the field that says of which kind a section is."""
    return str(detail["ctx"]["discriminator"]).strip("'")


def _complaint(cls: type, data: object, path: list[int | str], detail: ErrorDetails) -> str:
    """Say what was found, what was expected, and the name that was probably meant."""
    kind, message, value = detail["type"], detail["msg"], detail["input"]
    if kind == "unexpected_keyword_argument":
        fields = _fields(cls, path[:-1], data)
        return f"unknown, expected one of {', '.join(fields)}.{suggest(str(path[-1]), fields)}"
    if kind == "missing":
        return "missing, expected a value"
    if kind == "value_error":  # raised by the config itself, which has said everything
        return str(detail["ctx"]["error"])
    if kind == "union_tag_invalid":
        kind, value = "literal_error", detail["ctx"]["tag"]
        message = f"Input should be {detail['ctx']['expected_tags']}"
    if kind == "path_type":
        message = "Input should be a path"
    if kind == "tuple_type":
        message = "Input should be a list"
    if kind == "dataclass_type":
        message = "Input should be a mapping of fields"
    if kind == "too_short":
        least = detail["ctx"]["min_length"]
        message = f"Input should be at least {least} value" + "s" * (least > 1)
    expected = message.partition(", unable")[0].replace("Input should be", "expected")
    if _admits_null(cls, path):
        expected += ", or null"
    choices = re.findall(r"'([^']+)'", expected) if kind == "literal_error" else []
    near = suggest(str(value), choices)
    return f"found {reprlib.repr(value)}, {expected}{'.' if near else ''}{near}"


def _fields(cls: type, path: Sequence[int | str], data: object) -> list[str]:
    """List the fields of the configs to which a dotted path leads in the data."""
    configs = configs_at(cls, path, data)
    return list(dict.fromkeys(f.name for each in configs for f in dataclasses.fields(each)))


def _admits_null(cls: type, path: Sequence[int | str]) -> bool:
    """Whether a field of one type may also be null."""
    if not path or not isinstance(path[-1], str):
        return False
    hints = [get_type_hints(each).get(path[-1]) for each in configs_at(cls, path[:-1])]
    return any(len(get_args(hint)) == 2 and type(None) in get_args(hint) for hint in hints)


def configs_at(cls: type, path: Sequence[int | str], data: object = None) -> list[type]:
    """List the configs to which a dotted path can lead.

    Args:
        cls: The class of the whole config.
        path: Names of sections.
        data: Data of the whole config; where a section says its `kind`, configs of others are left
            out.
    """
    classes = [cls]
    for part in path:
        data = data.get(part) if isinstance(data, dict) else None
        if isinstance(part, str):
            hints = [get_type_hints(each).get(part) for each in classes]
            classes = [found for hint in hints for found in _classes(hint)]
        kind = data.get("kind") if isinstance(data, dict) else None
        of_kind = [c for c in classes if kind in get_args(get_type_hints(c).get("kind"))]
        classes = of_kind or classes
    return classes


def _classes(hint: object) -> list[type]:
    """Find the dataclasses inside an annotation."""
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return [hint]
    return [found for argument in get_args(hint) for found in _classes(argument)]
