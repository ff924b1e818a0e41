"""Arguments of public functions: numbers that are checked, and one value in place of several."""

from collections.abc import Iterable
from numbers import Integral, Real
from typing import TypeVar

from refine_core.errors import InputError

T = TypeVar("T")


def whole_number(value: object, what: str) -> int:
    """A whole number, of Python or NumPy.

    >>> whole_number(3, "members")
    3

    Args:
        value: What was given.
        what: What it counts or names.

    Raises:
        InputError: It is something else, such as 1.5 or a text.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise InputError(f"Found {what} {brief(value)}, expected a whole number.")
    return int(value)


def real_number(value: object, what: str) -> float:
    """A number, of Python or NumPy.

    Raises:
        InputError: It is something else, such as a text.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InputError(f"Found {what} {brief(value)}, expected a number.")
    return float(value)


def several(given: T | Iterable[T]) -> tuple[T, ...]:
    """All values given, where one may stand for itself; a text is one value.

    >>> several("z500"), several(["z500", "t850"]), several(1.0)
    (('z500',), ('z500', 't850'), (1.0,))
    """
    if isinstance(given, str) or not isinstance(given, Iterable):
        return (given,)
    return tuple(given)


def brief(value: object) -> str:
    """A value as it was written, or its type where that is long.

    >>> brief("3"), brief([0] * 100)
    ("'3'", 'of type list')
    """
    text = repr(value)
    return text if len(text) <= 40 and "\n" not in text else f"of type {type(value).__name__}"
