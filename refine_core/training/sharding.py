"""Sharded training (FSDP2): each process holds rows of every parameter, and of what goes with it.

Of a parameter (n, ...) process r of R holds rows r n / R to (r + 1) n / R, and so of its gradient,
of the optimiser's moments and of the moving average. A unit gathers its parameters while it
computes, and hands each process the sum of the gradients of its rows (Zhao et al., 2023, arXiv
2304.11277). Units are the linear layers of each transformer block, and all else together.
"""

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, Self, TypeVar, cast

import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.nn.utils import parametrize

from refine_core.errors import InputError
from refine_core.training.shards import full

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class Sharded(Generic[Module]):
    """A module of which each process holds a share, and the module that the caller gave.

    Args:
        module: The sharded copy. Its parameters are `DTensor`s, and plain while `root` computes.
        root: Called in place of `module`.
        whole: What the caller gave; its parameters are empty but where `fill` has filled them.
        mesh: The processes.
    """

    module: Module
    root: nn.Module
    whole: Module
    mesh: DeviceMesh

    @classmethod
    def of(cls, whole: Module, mesh: DeviceMesh, *, mixed: bool) -> Self:
        """Shard a copy of a module, and empty the module.

        Args:
            whole: A module of plain parameters, the same in all processes.
            mesh: The processes, in one dimension.
            mixed: Whether it is called under autocast to bfloat16.

        Raises:
            InputError: A parameter has no dimension.
        """
        module = copy.deepcopy(whole)
        made = cls(module, shard(module, mesh, mixed=mixed), whole, mesh)
        made.empty()
        return made

    @torch.no_grad()
    def fill(self, source: nn.Module) -> Module:
        """Gather the parameters of a sharded module into `whole`, on the device of the training.

        All processes call it. Buffers are those of `module`.

        Args:
            source: `module`, or another that is sharded alike, such as its moving average.
        """
        pairs = zip(self.whole.parameters(), source.parameters(), strict=True)
        for mine, theirs in pairs:
            mine.data = full(theirs.detach())
        self.whole.to(self.mesh.device_type)
        for buffer, other in zip(self.whole.buffers(), self.module.buffers(), strict=True):
            buffer.copy_(other)
        return self.whole

    def empty(self) -> None:
        """Free the parameters of `whole`."""
        for parameter in self.whole.parameters():
            parameter.data = parameter.data.new_empty(0)


class _Root(nn.Module):
    """Calls a module, whose own class stays as it is."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: object) -> object:
        return self.module(*inputs)


def shard(module: nn.Module, mesh: DeviceMesh, *, mixed: bool = False) -> nn.Module:
    """Shard a module in place; return what is called in its place.

    Under autocast a unit of linear layers gathers its weights in bfloat16, to which autocast
    would round them, and sums gradients in float32, as without sharding.

    Raises:
        InputError: A parameter has no dimension.
    """
    for name, parameter in module.named_parameters():
        if parameter.ndim == 0:
            raise InputError(
                f"Found the parameter {name} without dimensions, expected one at least to shard "
                "it: give it the shape (1,), or leave out `fsdp`."
            )
    # Blocks do not change what a linear layer returns in place, of which FSDP2 warns.
    warnings.filterwarnings("ignore", "FSDP2-wrapped module", UserWarning)
    plain = MixedPrecisionPolicy(cast_forward_inputs=False)
    rounded = replace(plain, param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    for unit in units(module):
        fully_shard(unit, mesh=mesh, mp_policy=rounded if mixed else plain)
    root = _Root(module)
    fully_shard(root, mesh=mesh, mp_policy=plain)
    return root


def units(module: nn.Module) -> list[list[nn.Module]]:
    """Linear layers that are gathered together: those of a block's `matrices`, each other one.

    There is none if `calls_vary` says of a part that the number of its calls depends on the
    samples, for processes gather together, and each has samples of its own.
    """
    found: list[list[nn.Module]] = []
    if any(getattr(part, "calls_vary", False) for part in module.modules()):
        return found
    for part in module.modules():
        taken = {id(layer) for unit in found for layer in unit}
        linear = [each for each in part.modules() if isinstance(each, nn.Linear)]
        linear = [each for each in linear if id(each) not in taken]
        if not hasattr(part, "matrices") or any(map(parametrize.is_parametrized, linear)):
            continue
        matrices = cast(Callable[[], list[nn.Parameter]], part.matrices)
        hidden = {id(each) for each in matrices()}
        found += [[each] for each in linear if id(each.weight) not in hidden]
        found.append([each for each in linear if id(each.weight) in hidden])
    return [unit for unit in found if unit]
