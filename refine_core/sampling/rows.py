"""Some of the samples of a value that holds tensors of many."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import TypeVar, cast

from torch import Tensor

V = TypeVar("V")


def rows_of(value: V, index: Tensor) -> V:
    """Rows (n,) int64 of a tensor, or of the tensors in a tuple, a list or a dataclass."""
    return mapped(value, lambda tensor: tensor[index])


def mapped(value: V, change: Callable[[Tensor], Tensor]) -> V:
    """A tensor changed, or the tensors in a tuple, a list or a dataclass; all else as it is."""
    if isinstance(value, Tensor):
        return cast(V, change(value))
    if isinstance(value, tuple | list):
        return cast(V, type(value)(mapped(each, change) for each in value))
    if is_dataclass(value) and not isinstance(value, type):
        parts = {each.name: mapped(getattr(value, each.name), change) for each in fields(value)}
        return cast(V, replace(value, **parts))
    return value
