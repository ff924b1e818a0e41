"""Nearest codes, k-means, and the batch of all processes: what learning a codebook needs.

Everything random takes a generator, so that the caller decides what a result depends on.
"""

import torch
from torch import Tensor, distributed

SAMPLE = 64  # vectors per centre that k-means looks at: more do not move the centres noticeably
_CACHE = 2**19  # scores of one block of the search: 2 MB of float32 stay in the cache


def nearest(z: Tensor, codes: Tensor) -> Tensor:
    """The index (n,) of the code (v, d) with the least Euclidean distance to each vector (n, d).

    `argmin_v |z - e_v|^2 = argmin_v |e_v|^2 / 2 - <z, e_v>`, in float32 even under autocast, which
    leaves `out` alone. Blocks of rows keep the scores in the cache, but have no fewer rows than
    four times the channels, as each block reads the whole codebook. (`min` of a row is faster than
    `argmin`, and `detach` than `no_grad`, which a small search notices.)
    """
    z, codes = z.detach().float(), codes.detach().float()
    half = codes.square().sum(1) / 2
    n, rows = z.shape[0], max(_CACHE // codes.shape[0], 4 * z.shape[1])
    score = z.new_empty(min(n, rows), codes.shape[0])
    if n <= rows:
        return torch.addmm(half, z, codes.T, alpha=-1, out=score).min(1).indices
    least, code = z.new_empty(n), torch.empty(n, dtype=torch.int64, device=z.device)
    for i in range(0, n, rows):
        block, here = score[: n - i], slice(i, i + rows)
        torch.addmm(half, z[here], codes.T, alpha=-1, out=block)
        torch.min(block, 1, out=(least[here], code[here]))
    return code


def tally(z: Tensor, code: Tensor, codes: int) -> tuple[Tensor, Tensor]:
    """How many vectors chose each code, (codes,), and their sum, (codes, d), in float32."""
    count = torch.bincount(code, minlength=codes).float()
    total = torch.zeros(codes, z.shape[1], device=z.device).index_add_(0, code, z.float())
    return count, total


def kmeans(z: Tensor, codes: int, generator: torch.Generator, rounds: int = 10) -> Tensor:
    """Centres (min(n, codes), d) of the vectors (n, d), by Lloyd's algorithm.

    The first centres are vectors that those before represent badly (`far`), a quarter more at a
    time (as k-means||, Bahmani et al., 2012). A centre without vectors moves to such a one too, so
    that equal vectors, as those of an empty background, do not use up centres.
    """
    z = choose(z, SAMPLE * codes, generator).float()
    centres = z[:1]
    while (missing := min(len(z), codes) - len(centres)) > 0:
        value = centres[nearest(z, centres)]
        more = far(z, value, min(missing, 1 + len(centres) // 4), generator)
        centres = torch.cat([centres, more])
    for _ in range(rounds):
        code = nearest(z, centres)
        count, total = tally(z, code, len(centres))
        empty = count == 0
        moved = total / count.clamp(min=1)[:, None]
        moved[empty] = far(z, centres[code], int(empty.sum()), generator)
        centres = moved
    return centres


def far(z: Tensor, value: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """At most k of the vectors (n, d), drawn by their squared distance to `value`, none twice.

    The rule of k-means++ (Arthur and Vassilvitskii, 2007); the k largest of weight / Exp(1) are
    such a draw.
    """
    race = torch.empty(len(z)).exponential_(generator=generator).clamp(min=1e-30).to(z.device)
    error = (z - value).square().sum(1)
    return z[(error / race).topk(min(k, len(z))).indices]


def choose(z: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """At most k of the vectors (n, d), in random order."""
    return z[torch.randperm(len(z), generator=generator)[:k].to(z.device)]


def all_sum(x: Tensor) -> Tensor:
    """The sum over processes, in place."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.all_reduce(x)
    return x


def all_mean(x: Tensor) -> Tensor:
    """The mean (d,) over the rows (n, d) of all processes, with its gradient."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return x.mean(0)
    from torch.distributed.nn.functional import all_reduce  # not every torch has it

    count = all_sum(x.new_tensor(len(x)))
    total: Tensor = all_reduce(x.sum(0))
    return total / count


def all_rows(z: Tensor) -> Tensor:
    """The vectors (n, d) of all processes, one after another by rank; n may differ."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return z
    here = torch.tensor([len(z)], device=z.device)
    sizes = [torch.zeros_like(here) for _ in range(distributed.get_world_size())]
    distributed.all_gather(sizes, here)
    padded = z.new_zeros(int(torch.cat(sizes).max()), z.shape[1])
    padded[: len(z)] = z
    gathered = [torch.empty_like(padded) for _ in sizes]
    distributed.all_gather(gathered, padded)
    return torch.cat([rows[: int(n)] for rows, n in zip(gathered, sizes, strict=True)])
