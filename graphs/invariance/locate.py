"""Where in a module a relabelling begins to show: compared call by call, by forward hooks."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from graphs.invariance.outputs import Tolerance, error, tensors


@dataclass
class Call:
    """One call of a submodule: copies of what went in and came out."""

    kind: str
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor] = field(default_factory=dict)


class Aligned(Protocol):
    """What is needed of a relabelled graph."""

    @property
    def width(self) -> int:
        """Rows."""
        ...

    def align(self, tensor: Tensor, wide: torch.Size, width: int) -> Tensor | None:
        """A tensor in original order."""
        ...


Calls = dict[tuple[str, int], Call]
Run = tuple[Aligned, Calls]


@contextmanager
def recorded(module: nn.Module) -> Iterator[Calls]:
    """Record the calls of all submodules by name and count, in order of completion."""
    calls: Calls = {}
    count: Counter[str] = Counter()
    handles, open_calls = [], []

    def enter(each: nn.Module, args: Any, kwargs: Any) -> None:
        open_calls.append(Call(type(each).__name__, _copies((args, kwargs))))

    def leave(name: str) -> Callable[..., None]:
        def hook(each: nn.Module, args: Any, kwargs: Any, result: Any) -> None:
            call = open_calls.pop()
            call.outputs = _copies(result)
            calls[name, count[name]] = call
            count[name] += 1

        return hook

    for name, each in module.named_modules():
        handles.append(each.register_forward_pre_hook(enter, with_kwargs=True))
        handles.append(each.register_forward_hook(leave(name), with_kwargs=True))
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def first_broken(before: Run, after: Run, probe: Run, tolerance: Tolerance) -> str:
    """Say which submodule is the first whose outputs differ while its inputs do not.

    Args:
        before: View and calls of one graph.
        after: Of the same graph relabelled.
        probe: Of a batch of another width, which tells the dimensions that run over nodes.
        tolerance: Of equality.

    Returns:
        The name and class, or "" if no submodule could be singled out.
    """
    runs, stray = (before, after, probe), ""
    for key, call in before[1].items():
        if not all(key in calls for _, calls in runs):
            continue
        fed, gave = (
            _same(runs, [getattr(calls[key], level) for _, calls in runs], tolerance)
            for level in ("inputs", "outputs")
        )
        name = f"'{key[0]}' ({call.kind})" if key[0] else f"the forward code of {call.kind} itself"
        if fed and gave is False:
            return name + (f", which hands {stray} an input that is" if stray else "")
        if fed is False and not stray:
            stray = name
    return ""


def _same(
    runs: tuple[Run, Run, Run], sides: list[dict[str, Tensor]], tolerance: Tolerance
) -> bool | None:
    """Whether the tensors of two runs are one up to relabelling; None if there is no telling."""
    (before, _), (after, _), (wide, _) = runs
    one, two, other = sides
    if not one.keys() == two.keys() == other.keys():
        return None
    known = True
    for name, tensor in one.items():
        shape = other[name].shape
        if not tensor.ndim == two[name].ndim == len(shape):
            return None
        a = before.align(tensor, shape, wide.width)
        b = after.align(two[name], shape, wide.width)
        if a is None or b is None:
            known = False
        elif error(a, b, tolerance).excess > 1:
            return False
    return True if known else None


def _copies(value: Any) -> dict[str, Tensor]:
    """Copies, for later modules may write in place."""
    return {name: tensor.detach().clone() for name, tensor in tensors(value)}
