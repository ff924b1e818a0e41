"""A module under test, and the batches it is run on."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from graphs.data.batch import GraphBatch
from graphs.invariance.comparison import Error, Kind, Tolerance, error, tensors
from graphs.invariance.padded_batch import Dense
from graphs.invariance.pyg_batch import Sparse
from graphs.invariance.relabelling import Plan
from refine_core.errors import InputError


class Aligned(Protocol):
    """What is needed of a relabelled graph."""

    @property
    def width(self) -> int:
        """Rows."""
        ...

    def align(self, tensor: Tensor, wide: torch.Size, width: int) -> Tensor | None:
        """A tensor in original order."""
        ...


Levels = tuple[tuple[Tensor, ...], tuple[Tensor, ...], tuple[Tensor, ...]]
Graphs = Dense | Sparse


class View(Aligned, Protocol):
    """A relabelled batch."""

    @property
    def batch(self) -> Any:
        """As the module takes it."""
        ...

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """Further inputs."""
        ...

    def read(self, tensor: Tensor, kind: Kind) -> Tensor:
        """An output in original order."""
        ...


def prepare(batch: Any, inputs: Levels, refill: bool | None) -> Graphs:
    """Make a batch ready to be relabelled.

    Raises:
        InputError: It is none of the known kinds, or shapes do not fit together.
    """
    if isinstance(batch, GraphBatch):
        return Dense(batch.nodes, batch.edges, batch.valid, inputs, True, bool(refill))
    if isinstance(batch, tuple) and len(batch) == 3:
        return Dense(*batch, inputs, False, refill is not False)
    if hasattr(batch, "to_data_list"):
        return Sparse.of(batch.to_data_list(), inputs)
    if hasattr(batch, "edge_index"):
        return Sparse.of([batch], inputs)
    raise InputError(
        f"Found a batch of type {type(batch).__name__}, expected (x, adjacency, valid), a "
        "GraphBatch or a PyG Batch: convert it."
    )


@dataclass(frozen=True)
class Trial:
    """Error of one output after one plan."""

    error: Error
    output: str = "no output"


class Runner:
    """Runs a copy of a module with one seed.

    Args:
        module: Any callable.
        call: How to call it.
        float64: Whether in double precision.
        kind: Level of the outputs; None to tell it by shape.
        tolerance: Of errors.
    """

    def __init__(
        self,
        module: Callable[..., Any],
        call: Callable[..., Any] | None,
        float64: bool,
        kind: Kind | None,
        tolerance: Tolerance,
    ) -> None:
        self.module = copy.deepcopy(module)
        self.call, self.kind, self.tolerance = call or _call, kind, tolerance
        self.dtype = torch.float64 if float64 else torch.get_default_dtype()
        self.kinds: dict[str, Kind] = {}
        owner = getattr(self.module, "__self__", self.module)  # that of a method
        self.root = owner if isinstance(owner, nn.Module) else None
        if self.root is not None and float64:
            self.root.double()
        self.name = str(getattr(module, "__qualname__", type(module).__name__))

    def __call__(self, view: View) -> dict[str, Tensor]:
        """The tensors in what the module returns, by their paths."""
        with _reproducible(self.dtype):
            found = dict(tensors(self.call(self.module, view.batch, *view.inputs)))
        if not found:
            raise InputError(f"{self.name} returned no tensor, expected one: return it by call=.")
        return found

    def settle(self, graphs: Graphs, expected: dict[str, Tensor]) -> None:
        """Tell the level of each output by how its shape grows with the batch.

        Raises:
            InputError: A shape grows otherwise than with nodes, edges or pairs of nodes.
        """
        width = graphs.identity().width
        try:
            probe = graphs.probe(width + 1)
            wide, width = self(probe), probe.width
        except Exception:  # the module takes one size only, so sizes have to tell
            wide = expected
        for name, tensor in expected.items():
            shape = wide.get(name, tensor).shape
            self.kinds[name] = self.kind or graphs.kind(name, tensor.shape, shape, width)

    def undefined(self, view: View, expected: dict[str, Tensor]) -> str:
        """What is wrong with an output that is NaN, or nowhere finite, where nodes are; or ""."""
        for name, tensor in expected.items():
            read = view.read(tensor, self.kinds[name])
            if read.isnan().any() or (read.numel() and not read.isfinite().any()):
                bad = int((~read.isfinite()).sum())
                what = f"{name} ({self.kinds[name]} level)"
                return f"{bad} of {read.numel()} entries of {what} are NaN or infinite"
        return ""

    def compare(
        self, graphs: Graphs, plan: Plan, before: View, expected: dict[str, Tensor]
    ) -> Trial:
        """Run on a relabelled batch and compare with what came out before.

        Raises:
            InputError: Other outputs are returned than before, or shapes tell no level.
        """
        after = graphs.arrange(plan)
        found = self(after)
        if found.keys() != expected.keys():
            raise InputError(
                f"{self.name} returned {sorted(found)} after relabelling and {sorted(expected)} "
                "before, expected the same: return what is always there by call=."
            )
        worst = Trial(Error())
        for name, tensor in found.items():
            kind = self.kinds[name]
            a, b = before.read(expected[name], kind), after.read(tensor, kind)
            gap = error(a, b, self.tolerance)
            worst = max(worst, Trial(gap, f"{name} ({kind} level)"), key=lambda each: each.error)
        return worst


def _call(module: Callable[..., Any], batch: Any, *inputs: Tensor) -> Any:
    return module(*batch, *inputs) if isinstance(batch, tuple) else module(batch, *inputs)


@contextmanager
def _reproducible(dtype: torch.dtype) -> Iterator[None]:
    """The same random numbers in every run, and new tensors in the wanted precision."""
    usual = torch.get_default_dtype()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(0)
        torch.set_default_dtype(dtype)
        try:
            yield
        finally:
            torch.set_default_dtype(usual)
