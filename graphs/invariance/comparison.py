"""Tensors in what a module takes and returns, and how far two of them differ."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Level = Literal["node", "edge", "graph"]
"""What the entries of a tensor belong to."""


class Inputs(NamedTuple):
    """Further inputs of a module, by level.

    Padded batches have them of shapes (b, n, ...), (b, n, n, ...) and (b, ...), batches of PyTorch
    Geometric (N, ...), (E, ...) and (b, ...).
    """

    node: tuple[Tensor, ...] = ()
    edge: tuple[Tensor, ...] = ()
    graph: tuple[Tensor, ...] = ()

    def map(self, change: Callable[[Tensor], Tensor]) -> "Inputs":
        """Change every tensor."""
        return Inputs(*(tuple(map(change, level)) for level in self))


@dataclass(frozen=True)
class Tolerance:
    """An error is allowed up to `absolute + relative * (largest entry)`."""

    absolute: float
    relative: float

    def __str__(self) -> str:
        return f"{self.absolute:.0e} + {self.relative:.0e} x largest entry"


@dataclass(frozen=True, order=True)
class Error:
    """How far two tensors differ.

    Args:
        excess: The absolute error over the allowed one; above 1 the tensors count as different.
        absolute: Largest absolute difference; infinite where only one entry is not a number.
        relative: The same over the largest finite entry.
    """

    excess: float = 0.0
    absolute: float = 0.0
    relative: float = 0.0


def tensors(value: object, name: str = "output") -> Iterator[tuple[str, Tensor]]:
    """Find the tensors in nested tuples, lists, mappings and dataclasses, with their paths.

    >>> [name for name, _ in tensors({"a": (torch.zeros(1), 2.0)})]
    ["output['a'][0]"]
    """
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from tensors(each, f"{name}[{key!r}]")
    elif isinstance(value, (tuple, list)):
        for index, each in enumerate(value):
            yield from tensors(each, f"{name}[{index}]")
    elif is_dataclass(value):
        for field in fields(value):
            yield from tensors(getattr(value, field.name), f"{name}.{field.name}")


def error(expected: Tensor, found: Tensor, tolerance: Tolerance) -> Error:
    """Compare two tensors; two NaN count as equal, two shapes are infinitely far apart."""
    if expected.shape != found.shape:
        return Error(torch.inf, torch.inf, torch.inf)
    if expected.numel() == 0:
        return Error()
    a, b = (torch.as_tensor(t.detach(), dtype=torch.float64) for t in (expected, found))
    same = (a == b) | (a.isnan() & b.isnan())
    gap = torch.where(same, 0.0, (a - b).abs()).nan_to_num(torch.inf, torch.inf)
    absolute = float(gap.max())
    largest = float(torch.where(a.isfinite(), a, 0.0).abs().max())
    allowed = tolerance.absolute + tolerance.relative * largest
    relative = absolute / largest if largest else (torch.inf if absolute else 0.0)
    return Error(absolute / allowed, absolute, relative)
