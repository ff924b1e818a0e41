"""Runs of a module under test on relabelled batches."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from graphs.data.batch import GraphBatch
from graphs.invariance.comparison import Error, Inputs, Level, Tolerance, error, tensors
from graphs.invariance.padded_batch import PaddedBatch, Padding
from graphs.invariance.pyg_batch import PygBatch, graphs_of
from graphs.invariance.relabelling import Relabelling
from refine_core.errors import InputError

RelabelledBatch = PaddedBatch | PygBatch


class Arrangement(Protocol):
    """A relabelled batch, and the way back to the original labels."""

    @property
    def batch(self) -> object:
        """As the module takes it."""
        ...

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """Further inputs."""
        ...

    @property
    def width(self) -> int:
        """Rows."""
        ...

    def original(self, output: Tensor, level: Level) -> Tensor:
        """An output in original order."""
        ...

    def aligned(self, tensor: Tensor, wide: torch.Size, width: int) -> Tensor | None:
        """A tensor inside of a module in original order."""
        ...


def prepare(batch: object, inputs: Inputs, padding: Padding | None) -> RelabelledBatch:
    """Make a batch ready to be relabelled.

    Raises:
        InputError: It is none of the known kinds, shapes do not fit together, or there is no node.
    """
    result = _wrapped(batch, inputs, padding)
    if not sum(result.sizes):
        raise InputError("Found a batch without nodes, expected one node at least: give graphs.")
    return result


def _wrapped(batch: object, inputs: Inputs, padding: Padding | None) -> RelabelledBatch:
    if isinstance(batch, GraphBatch):
        nodes, edges, valid = batch.nodes, batch.edges, batch.valid
        return PaddedBatch(nodes, edges, valid, inputs, padding or "zero", is_graph_batch=True)
    if isinstance(batch, tuple) and len(batch) == 3:
        return PaddedBatch(*batch, inputs, padding or "features")
    if hasattr(batch, "to_data_list"):
        return PygBatch.of(graphs_of(batch), inputs)
    if hasattr(batch, "edge_index"):
        return PygBatch.of([batch], inputs)  # type: ignore[list-item]  # a Data
    raise InputError(
        f"Found a batch of type {type(batch).__name__}, expected (x, adjacency, valid), a "
        "GraphBatch or a PyG Batch: convert it."
    )


class Run(NamedTuple):
    """A relabelled batch, and the tensors that came out, by their paths."""

    arrangement: Arrangement
    outputs: dict[str, Tensor]


@dataclass(frozen=True, order=True)
class Difference:
    """The worst error between two runs, and the output that has it."""

    error: Error = Error()
    output: str = "no output"


class Runner:
    """Runs a copy of a module, always with the same random numbers.

    Args:
        module: Any callable.
        call: How to call it.
        dtype: Precision of new tensors; an nn.Module is cast to double precision.
        level: Level of the outputs; None to infer it from shapes.
        tolerance: Tolerance of errors.
    """

    def __init__(
        self,
        module: Callable[..., object],
        call: Callable[..., object] | None,
        dtype: torch.dtype,
        level: Level | None,
        tolerance: Tolerance,
    ) -> None:
        self.module = copy.deepcopy(module)
        self.call, self.level, self.tolerance = call or _call, level, tolerance
        self.dtype = dtype
        self.levels: dict[str, Level] = {}
        owner = getattr(self.module, "__self__", self.module)  # that of a method
        self.root = owner if isinstance(owner, nn.Module) else None
        if self.root is not None and dtype == torch.float64:
            self.root.double()
        self.name = str(getattr(module, "__qualname__", type(module).__name__))

    @property
    def precision(self) -> str:
        """Name of the precision, e.g. "float64"."""
        return str(self.dtype).removeprefix("torch.")

    def outputs(self, arrangement: Arrangement) -> dict[str, Tensor]:
        """The tensors in what the module returns, by their paths.

        Raises:
            InputError: There is none.
        """
        with _reproducible(self.dtype):
            result = self.call(self.module, arrangement.batch, *arrangement.inputs)
        if not (found := dict(tensors(result))):
            raise InputError(f"{self.name} returned no tensor, expected one: return it by call=.")
        return found

    def run(self, batch: RelabelledBatch, relabelling: Relabelling) -> Run:
        """Run on a relabelled batch."""
        arrangement = batch.arrange(relabelling)
        return Run(arrangement, self.outputs(arrangement))

    def computes_in_double(self, batch: RelabelledBatch) -> bool:
        """Whether the module runs on a batch in double precision without any rounding to less."""
        arrangement = batch.arrange(batch.identity())
        try:
            with _LowerPrecision() as lower:
                self.outputs(arrangement)
        except Exception:  # it was made for single precision, which is tried next
            return False
        return not lower.found

    def determine_levels(self, batch: RelabelledBatch, outputs: dict[str, Tensor]) -> None:
        """Infer the level of each output from how its shape grows with the batch.

        Args:
            batch: The batch as given.
            outputs: What came out for it.

        Raises:
            InputError: A shape grows otherwise than with nodes, edges or pairs of nodes.
        """
        width = len(batch.identity().rows[0])
        try:
            probe = batch.probe(width + 1)
            wide, width = self.outputs(probe), probe.width
        except Exception:  # the module takes one size only, so shapes have to do
            wide = outputs
        for name, tensor in outputs.items():
            shape = wide.get(name, tensor).shape
            self.levels[name] = self.level or batch.level(name, tensor.shape, shape, width)

    def undefined(self, run: Run) -> str:
        """What is wrong with an output that is NaN, or nowhere finite, where nodes are; or ""."""
        for name, tensor in run.outputs.items():
            entries = run.arrangement.original(tensor, self.levels[name])
            if entries.isnan().any() or (entries.numel() and not entries.isfinite().any()):
                bad = int((~entries.isfinite()).sum())
                what = f"{name} ({self.levels[name]} level)"
                return f"{bad} of {entries.numel()} entries of {what} are NaN or infinite"
        return ""

    def difference(self, before: Run, after: Run) -> Difference:
        """Compare what two runs return.

        Raises:
            InputError: They return different sets of outputs.
        """
        if after.outputs.keys() != before.outputs.keys():
            raise InputError(
                f"{self.name} returned {sorted(after.outputs)} after relabelling and "
                f"{sorted(before.outputs)} before, expected the same: return what is always there "
                "by call=."
            )
        found = [Difference()]
        for name, tensor in after.outputs.items():
            level = self.levels[name]
            expected = before.arrangement.original(before.outputs[name], level)
            gap = error(expected, after.arrangement.original(tensor, level), self.tolerance)
            found.append(Difference(gap, f"{name} ({level} level)"))
        return max(found)


def _call(module: Callable[..., object], batch: object, *inputs: Tensor) -> object:
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


class _LowerPrecision(TorchDispatchMode):
    """Notices operations that round floating-point numbers to less than double precision."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found = False

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: Sequence[type],
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        result = func(*args, **(kwargs or {}))
        for _, tensor in tensors(result):
            if tensor.is_floating_point() and tensor.dtype != torch.float64:
                self.found = True
        return result
