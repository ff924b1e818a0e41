"""YAML files read into frozen, typed dataclasses; any field can be overridden by an option.

The class is the documentation: a field's annotation says what it admits, its default makes it
optional, and the docstring below it is what `--help` shows.

>>> from refine_core.config.ranges import PositiveInt
>>> @config
... class Model:
...     width: PositiveInt = 64
...     '''Channels of every hidden layer.'''
>>> Model(width=0)
Traceback (most recent call last):
    ...
refine_core.errors.InputError: Model: width: found 0, expected a whole number above 0
"""

import dataclasses
import functools
import json
import reprlib
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast, dataclass_transform

import pydantic
import yaml

from refine_core.config.mistakes import refusal
from refine_core.config.shipped import config_file, near_config
from refine_core.errors import InputError

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field, pydantic.Field))
def config(cls: type[T]) -> type[T]:
    """Make a class a config: a frozen dataclass that checks its fields and refuses unknown ones.

    Returns:
        The class. Its constructor raises InputError, which names every field that does not fit.
    """
    rules = pydantic.ConfigDict(extra="forbid", allow_inf_nan=False)
    made = cast(type[T], pydantic.dataclasses.dataclass(frozen=True, config=rules)(cls))
    checked = cast(Any, made).__init__

    @functools.wraps(checked)
    def init(self: T, *args: object, **fields: object) -> None:
        try:
            checked(self, *args, **fields)
        except pydantic.ValidationError as error:
            raise refusal(cls.__name__, made, fields, error, one_line=True) from None

    cast(Any, made).__init__ = init
    return made


def load(cls: type[T], path: str | Path) -> T:
    """Read a YAML file into a config.

    Args:
        cls: A class decorated with `config`.
        path: The file, or the name of one that ships with Refine, such as `weather/gcm`, or `gcm`
            for a class of that domain; its top level is a mapping of field names to values.

    Raises:
        InputError: The file does not fit; lists every mistake, one a line, with its dotted path.
    """
    domain = cls.__module__.partition(".")[0]
    return from_dict(cls, _read(config_file(path, domain), domain), str(path))


def from_dict(cls: type[T], data: Mapping[str, object], source: str = "config") -> T:
    """Make a config, or another dataclass, from what `to_dict` returned or a file holds.

    Args:
        cls: A class decorated with `config`, or a dataclass with such fields.
        data: Field names and values.
        source: Where the data come from, for the message.

    Raises:
        InputError: The data do not fit; lists every mistake.
    """
    try:
        return pydantic.TypeAdapter(cls).validate_python(dict(data))
    except pydantic.ValidationError as error:
        raise refusal(source, cls, data, error) from None


def to_dict(instance: object) -> dict[str, object]:
    """Return every field of a config, defaults too, as JSON values."""
    adapter = pydantic.TypeAdapter(type(instance))
    return cast(dict[str, object], adapter.dump_python(instance, mode="json"))


def dump(instance: object) -> str:
    """Write a config as YAML, from which `load` makes an equal one."""
    return yaml.safe_dump(to_dict(instance), sort_keys=False, allow_unicode=True)


class _Loader(yaml.SafeLoader):
    """YAML of plain values in which a key may stand only once."""

    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[Hashable, object]:
        """Refuse a key that would silently replace an earlier one."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                problem = f"the key {key.value!r} stands there a second time"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {  # dates stay text
    first: [(tag, form) for tag, form in forms if not tag.endswith(":timestamp")]
    for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _read(path: Path, domain: str) -> dict[str, object]:
    """Read a file whose top level is a YAML mapping."""
    expected = "expected one `field: value` a line"
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), _Loader)
        json.dumps(data, default=str)  # refuses what holds itself
    except OSError as error:
        why = f"cannot be read ({error.strerror})"
        raise InputError(
            f"Config {path} {why}; give the path of a YAML file, or the name of a shipped config "
            f"such as weather/gcm.{near_config(path, domain)}"
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        said = error.problem or error.context
        raise InputError(f"{path} is not valid YAML{where}: {said}; {expected}.") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise InputError(f"{path} is not a text file; {expected}.") from None
    except (ValueError, KeyError, RecursionError) as error:
        said = str(error) or type(error).__name__
        raise InputError(
            f"{path} holds a value that cannot be read ({said}); {expected}."
        ) from None
    if data is None:
        raise InputError(f"{path} is empty; {expected}.")
    if not isinstance(data, dict):
        raise InputError(f"{path} holds {reprlib.repr(data)}; {expected}.")
    return {str(key): value for key, value in data.items()}
