"""What a process holds of sharded tensors; knows them without loading what shards them.

That takes as long as half of torch, and few trainings need it.
"""

from collections import defaultdict
from typing import TYPE_CHECKING

import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import DeviceMesh

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor
    from typing_extensions import TypeIs


def is_sharded(tensor: Tensor | None) -> "TypeIs[DTensor]":
    """Whether a tensor is a `DTensor`."""
    return hasattr(tensor, "to_local")


def share(rows: int, mesh: DeviceMesh) -> slice:
    """Rows of a parameter that this process holds, as `torch.chunk` shares them out."""
    each = -(-rows // mesh.size())
    start = min(mesh.get_local_rank() * each, rows)
    return slice(start, min(start + each, rows))


def local(tensor: Tensor) -> Tensor:
    """What this process holds of a tensor, in its memory; all of it if it is not sharded."""
    return tensor.to_local() if is_sharded(tensor) else tensor


def full(tensor: Tensor) -> Tensor:
    """A tensor gathered from all processes, which all call it."""
    return tensor.full_tensor() if is_sharded(tensor) else tensor.clone()


@torch.no_grad()
def share_buffers(module: nn.Module) -> None:
    """Give all processes the buffers of the first, as DDP does before each forward pass."""
    alike: dict[torch.dtype, list[Tensor]] = defaultdict(list)
    for buffer in module.buffers():
        alike[buffer.dtype].append(buffer)
    for buffers in alike.values():
        flat = torch.cat([buffer.reshape(-1) for buffer in buffers])
        distributed.broadcast(flat.view(torch.uint8), 0)
        parts = flat.split([buffer.numel() for buffer in buffers])
        for buffer, part in zip(buffers, parts, strict=True):
            buffer.copy_(part.view_as(buffer))
