"""A checkpoint of several files: one of each process, and one that names them.

    last-120-1-of-2.safetensors    rows of all sharded tensors that the first of two processes has
    last-120-2-of-2.safetensors    those of the second, both after step 120
    last.safetensors               names the two, and holds what is not sharded

The last is written when all others are on the disk, and takes the place of the one before at once.
So the checkpoint is whole whenever a process is killed. Any number of processes reads it.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, distributed
from torch.distributed.device_mesh import DeviceMesh

from refine_core.errors import InputError
from refine_core.storage import checkpoint
from refine_core.storage.checkpoint import Checkpoint
from refine_core.training.shards import is_sharded, share

KIND = "training.shard"
SHARDS = "shards"
"""Entry of the header that names the files of the shards."""
ROWS = "rows"
"""Entry of a shard's header: by tensor, the first row that it holds, and the rows of all."""


def save(
    path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, object], *, step: int
) -> None:
    """Write a checkpoint; all processes call it.

    Args:
        path: The file that names the others.
        tensors: By name; of a `DTensor` each process writes its rows, all else the first.
        meta: As of `refine_core.storage.checkpoint.save`.
        step: Told by the files' names.

    Raises:
        InputError: A process could not write its file, or the first does not find it.
    """
    rank, world = distributed.get_rank(), distributed.get_world_size()
    names = [f"{path.stem}-{step}-{n}-of-{world}{path.suffix}" for n in range(1, world + 1)]
    mine, rows = {}, {}
    for name, tensor in tensors.items():
        if is_sharded(tensor):
            mine[name] = tensor.to_local()
            rows[name] = (share(len(tensor), tensor.device_mesh).start, len(tensor))
    problem = None
    try:
        about = {"kind": KIND, "config": meta["config"], ROWS: rows}
        checkpoint.save(path.with_name(names[rank]), mine, about)
    except OSError as error:
        problem = f"{error.filename or path.parent}: {error.strerror}."
    _agree(problem)
    if rank == 0:
        lost = [name for name in names if not path.with_name(name).exists()]
        if lost:
            raise InputError(
                f"Process 1 does not see {path.with_name(lost[0])}, which another wrote: give all "
                "machines one file system."
            )
        rest = {name: each for name, each in tensors.items() if name not in mine}
        checkpoint.save(path, rest, {**meta, SHARDS: names})
        remove_shards(path, names)


def remove_shards(path: Path, keep: list[str]) -> None:
    """Remove the shards of other checkpoints than that which names `keep`."""
    for other in path.parent.glob(f"{escape(path.stem)}-*-of-*{path.suffix}"):
        if other.name not in keep:
            with suppress(FileNotFoundError):
                other.unlink()


def tensors(
    path: Path,
    saved: Checkpoint,
    sharded: Callable[[str, Tensor], bool],
    mesh: DeviceMesh | None,
    *,
    remedy: str,
) -> dict[str, Tensor]:
    """All tensors of a checkpoint, as many processes as there are now hold them.

    Args:
        path: The file that names the others.
        saved: What it holds.
        sharded: Whether a tensor is to be sharded, by its name and itself.
        mesh: The processes; None for one, which gets plain tensors.
        remedy: Completes the sentence about a file that is damaged or not there.

    Raises:
        InputError: A file is damaged or not there.
    """
    files = saved.meta.get(SHARDS)
    names = [str(each) for each in files] if isinstance(files, list) else []
    if mesh is None and not names:
        return saved.tensors
    rows = {name: (0, len(each) if each.ndim else 0) for name, each in saved.tensors.items()}
    parts = _Parts(mesh, sharded)
    parts.add(saved.tensors, rows)
    if mesh is not None and mesh.size() == len(names):
        names = [names[mesh.get_local_rank()]]
    problem = None
    try:
        for name in names:
            beside = path.with_name(name)
            if not beside.is_file():
                raise InputError(f"{path} lacks its shard {name}: put it back, or {remedy}.")
            shard = checkpoint.load(beside, KIND, remedy=remedy)
            parts.add(shard.tensors, cast(dict[str, tuple[int, int]], shard.meta[ROWS]))
    except InputError as error:
        if mesh is None:
            raise
        problem = str(error)
    if mesh is not None:
        _agree(problem)
    return parts.joined()


class _Parts:
    """Collects the rows that this process is to hold.

    Args:
        mesh: As of `tensors`.
        sharded: As of `tensors`.
    """

    def __init__(self, mesh: DeviceMesh | None, sharded: Callable[[str, Tensor], bool]) -> None:
        self.mesh, self.sharded = mesh, sharded
        self.found: dict[str, Tensor] = {}
        self.rows: dict[str, int] = {}
        """How many rows a sharded tensor has in all."""

    def add(self, tensors: Mapping[str, Tensor], rows: Mapping[str, tuple[int, int]]) -> None:
        """Take what is wanted of tensors that begin at a row, of so many in all."""
        for name, tensor in tensors.items():
            first, total = rows[name]
            if tensor.ndim == 0:
                self.found[name] = tensor
                continue
            want = slice(0, total)
            if self.mesh is not None and self.sharded(name, tensor):
                want, self.rows[name] = share(total, self.mesh), total
            shape = (want.stop - want.start, *tensor.shape[1:])
            target = self.found.setdefault(name, tensor.new_empty(shape))
            start, stop = max(first, want.start), min(first + len(tensor), want.stop)
            if start < stop:
                there = slice(start - want.start, stop - want.start)
                target[there] = tensor[start - first : stop - first]

    def joined(self) -> dict[str, Tensor]:
        """All tensors by name; those that are sharded as `DTensor`s on the processes' devices."""
        return {name: self._placed(name, each) for name, each in self.found.items()}

    def _placed(self, name: str, part: Tensor) -> Tensor:
        if self.mesh is None or name not in self.rows:
            return part
        from torch.distributed.tensor import DTensor, Shard

        shape = torch.Size((self.rows[name], *part.shape[1:]))
        stride = torch.empty(shape, device="meta").stride()
        there = part.to(self.mesh.device_type)
        return DTensor.from_local(there, self.mesh, [Shard(0)], shape=shape, stride=stride)


def _agree(problem: str | None) -> None:
    """Wait for all processes; if one has a problem, the first raises it, and all end."""
    found: list[str | None] = [None] * distributed.get_world_size()
    distributed.all_gather_object(found, problem)
    for each in filter(None, found):
        raise InputError(each) if distributed.get_rank() == 0 else SystemExit(2)
