"""One codebook in several processes."""

from pathlib import Path

import torch
from torch import Tensor, distributed
from torch.multiprocessing.spawn import spawn

from refine_core.quantizers.vq import VQ


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _learn(vq: VQ, batches: list[list[Tensor]]) -> dict[str, Tensor]:
    for scales in batches:
        for z in scales:
            vq(z)
        vq.update()
    return vq.state_dict()


def _process(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2
    )
    vq = VQ(24, 4, restart_below=1.0)
    vq.load_state_dict(torch.load(f"{folder}/start.pt"))
    part = slice(0, 5) if rank == 0 else slice(5, 8)
    batches = [[z[part] for z in scales] for scales in _batches()]
    torch.save(_learn(vq, batches), f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def _batches() -> list[list[Tensor]]:
    return [[normal(8, n, 4, seed=10 * step + n) for n in (1, 4, 9)] for step in range(4)]


def test_two_processes_equal_one(tmp_path: Path) -> None:
    vq = VQ(24, 4, restart_below=1.0)
    torch.save(vq.state_dict(), tmp_path / "start.pt")
    spawn(_process, (str(tmp_path),), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)
    alone = _learn(vq, _batches())
    assert all(torch.allclose(first[key], alone[key], rtol=1e-5, atol=1e-6) for key in alone)
