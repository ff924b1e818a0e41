"""How fast the quantisers are, as ratios of times measured in turns in one process.

`search`: `nearest` over `addmm` and `argmin`; `eval`, `train`: a whole VQ call, in training with
backward and update, over that of vector-quantize-pytorch. Below one means faster.
"""

from collections.abc import Callable
from functools import partial

import torch
import vector_quantize_pytorch as library  # type: ignore[import-untyped]
from torch import Tensor

from refine_core.quantizers.clustering import nearest
from refine_core.quantizers.vq import VQ
from tests.bench.timing import ratio

SEARCH = [(v, d, n) for v in (64, 512, 4096) for d in (8, 32, 256) for n in (1000, 10_000)]
CALL = [(128, 16, 2000), (512, 32, 10_000), (4096, 32, 2000)]


def bench() -> dict[str, float]:
    """Ratios by name, `search v=512 d=32 n=10000` and so on; about a minute."""
    generator = torch.Generator().manual_seed(0)
    ratios = {}
    for v, d, n in SEARCH:
        z, codes = (torch.randn(k, d, generator=generator) for k in (n, v))
        ratios[f"search v={v} d={d} n={n}"] = ratio(
            partial(nearest, z, codes), partial(plain, z, codes)
        )
    for v, d, n in CALL:
        z = torch.randn(1, n, d, generator=generator)
        for mode in ("eval", "train"):
            ours, theirs = pair(v, d, z, training=mode == "train")
            ratios[f"{mode} v={v} d={d} n={n}"] = ratio(ours, theirs)
    return ratios


def plain(z: Tensor, codes: Tensor) -> Tensor:
    """The search as one writes it down."""
    return torch.addmm(codes.square().sum(1) / 2, z, codes.T, alpha=-1).argmin(1)


def pair(
    v: int, d: int, z: Tensor, *, training: bool
) -> tuple[Callable[[], object], Callable[[], object]]:
    """A call of ours and of the library's, from the same codebook."""
    ours = VQ(v, d).train(training)
    theirs = library.VectorQuantize(
        dim=d, codebook_size=v, decay=0.99, rotation_trick=False, threshold_ema_dead_code=0.1
    ).train(training)
    ours.codebook.copy_(theirs._codebook.embed[0])
    ours.total.copy_(theirs._codebook.embed[0])
    ours.count.fill_(1.0)
    ours.updates += 1  # past the placement
    z = z.clone().requires_grad_(training)

    def our_call() -> None:
        result = ours(z)
        if training:
            (result.value.sum() + result.loss).backward()
            ours.update()

    def their_call() -> None:
        value, _, loss = theirs(z)
        if training:
            (value.sum() + loss.sum()).backward()

    return our_call, their_call
