"""Vector quantisation: the nearest vector of a learned codebook.

Van den Oord, Vinyals and Kavukcuoglu, 2017, arXiv 1711.00937.
"""

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from refine_core.errors import InputError, suggest
from refine_core.quantizers.base import (
    Quantized,
    Quantizer,
    positive,
    squared_error,
    straight_through,
)
from refine_core.quantizers.clustering import (
    all_rows,
    all_sum,
    choose,
    far,
    kmeans,
    nearest,
    tally,
)

Metric = Literal["euclidean", "cosine"]
Learn = Literal["ema", "gradient"]
_CANDIDATES = 4  # vectors per code among which a dead code finds its new place


class VQ(Quantizer):
    """A codebook of `codes` vectors; a code is the index of the nearest one.

    The loss is the codebook and commitment terms of the paper's equation 1,
    `|sg[z] - e|^2 + beta |z - sg[e]|^2`, as means over elements; `learn="ema"` replaces the first
    term by moving averages (arXiv 1711.00937, appendix A.1).

    Until the first `update`, each training call places the codebook by k-means on all vectors seen
    so far, so that a codebook shared by several scales ends up placed for all of them. Later,
    `update` moves it and gives codes that are hardly ever chosen the place of a badly represented
    vector of the batch. What is random depends on the number of updates only, so a resumed run
    equals an uninterrupted one. Under `torch.distributed` all processes keep the same codebook,
    that of the joined batch; each must make the same number of calls.

    Args:
        codes: Size of the codebook, V.
        dim: d, channels of a vector.
        metric: "cosine" puts the input and the codes on the unit sphere (arXiv 2110.04627,
            section 3.2).
        learn: Moving averages of the vectors that chose a code, or the gradient of the loss.
        decay: Decay of the moving averages of counts and sums.
        commitment: beta.
        restart_below: A code is dead when its count, a moving average, is lower than this share of
            the mean count, so that scales of few tokens restart as soon as those of many; 0 never
            restarts.

    Raises:
        InputError: An argument is out of its range.

    >>> import torch
    >>> import refine_core as rc
    >>> quantizer = rc.VQ(codes=16, dim=8)
    >>> found = quantizer(torch.randn(3, 5, 8))  # while it trains, the codebook learns, too
    >>> quantizer.update()
    >>> found.code.shape, found.value.shape
    (torch.Size([3, 5, 1]), torch.Size([3, 5, 8]))
    """

    digits = 1
    codebook: Tensor
    count: Tensor
    total: Tensor
    updates: Tensor

    def __init__(
        self,
        codes: int,
        dim: int,
        *,
        metric: Metric = "euclidean",
        learn: Learn = "ema",
        decay: float = 0.99,
        commitment: float = 0.25,
        restart_below: float = 0.1,
    ) -> None:
        super().__init__()
        positive(codes=codes, dim=dim)
        _check(metric, learn, decay, commitment, restart_below)
        self.size, self.dim, self.metric, self.learn = codes, dim, metric, learn
        self.decay, self.commitment, self.restart_below = decay, commitment, restart_below
        codebook = self.project(torch.randn(codes, dim) / dim**0.5)
        if learn == "gradient":
            self.codebook = nn.Parameter(codebook)
        else:
            self.register_buffer("codebook", codebook)
        self.register_buffer("count", torch.zeros(codes))
        self.register_buffer("total", torch.zeros(codes, dim))
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        self._seen: list[tuple[Tensor, Tensor]] = []  # vectors and codes since the last update

    def project(self, z: Tensor) -> Tensor:
        """What is compared with the codes: the vectors, on the unit sphere for "cosine"."""
        return F.normalize(z, dim=-1) if self.metric == "cosine" else z

    def forward(self, z: Tensor) -> Quantized:
        """Quantise (b, n, d) vectors; `clipped` is zero, as a codebook has no range."""
        z = self.project(self.vectors(z))
        code = self._study(z.detach()) if self.training else self._search(z)
        value = self.decode(code)
        loss = self.commitment * squared_error(z, value.detach())
        if self.learn == "gradient":
            loss = loss + squared_error(z.detach(), value)
        return Quantized(straight_through(value, z), code, loss, loss.new_zeros(()))

    def encode(self, z: Tensor) -> Tensor:
        """The index (b, n, 1) of the nearest code, without gradient."""
        return self._search(self.project(self.vectors(z)))

    def decode(self, code: Tensor) -> Tensor:
        """The codes (b, n, d) of the indices (b, n, 1)."""
        return self.project(F.embedding(code[..., 0], self.codebook))

    @torch.no_grad()
    def update(self) -> None:
        """Apply the moving averages and restart dead codes; only in training, after a call."""
        seen, self._seen = self._seen, []
        if not (self.training and seen):
            return
        z, code = (torch.cat(parts) for parts in zip(*seen, strict=True))
        first = int(self.updates) == 0
        if first:  # the codebook moved between the calls
            code = nearest(z, self.project(self.codebook))
        count, total = (all_sum(x).to(self.total) for x in tally(z, code, self.size))
        if not count.any():
            return
        fresh = 1.0 if first else 1 - self.decay
        self.count.lerp_(count, fresh)
        self.total.lerp_(total, fresh)
        if self.learn == "ema":
            self._move()
        if not first:
            self._restart([vectors for vectors, _ in seen])
        self.updates += 1

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"codes={self.size}, dim={self.dim}, metric={self.metric!r}, learn={self.learn!r}, "
            f"decay={self.decay}, commitment={self.commitment}, restart_below={self.restart_below}"
        )

    def _search(self, z: Tensor) -> Tensor:
        """The index (b, n, 1) of the nearest code to projected vectors."""
        flat = z.detach().reshape(-1, self.dim)
        return nearest(flat, self.project(self.codebook.detach())).reshape(*z.shape[:-1], 1)

    def _study(self, z: Tensor) -> Tensor:
        """Search, and remember until the update."""
        flat = z.reshape(-1, self.dim).clone()  # the caller may change its own in place
        if int(self.updates) == 0:
            self._place([*(vectors for vectors, _ in self._seen), flat])
        code = self._search(z)
        self._seen.append((flat, code.flatten()))
        return code

    @torch.no_grad()
    def _place(self, calls: list[Tensor]) -> None:
        """K-means on the vectors of all calls; codes left over will count as dead."""
        z = torch.cat([all_rows(vectors) for vectors in calls])
        if len(z):
            centres = kmeans(z, self.size, self._generator())
            self.codebook[: len(centres)] = self.project(centres)

    def _move(self) -> None:
        """The moving averages are the codebook; a code that nothing chose for ages stays."""
        alive, mean = self.count > 1e-6, self.total / self.count[:, None]
        self.codebook.copy_(torch.where(alive[:, None], self.project(mean), self.codebook))

    def _restart(self, calls: list[Tensor]) -> None:
        """Dead codes become badly represented vectors, with half the mean count."""
        dead = (self.count < self.restart_below * self.count.mean()).nonzero()[:, 0]
        if len(dead) == 0:
            return
        generator, codes = self._generator(), self.project(self.codebook)
        z = torch.cat([all_rows(vectors) for vectors in calls])
        z = choose(z, _CANDIDATES * self.size, generator)
        place = far(z, codes[nearest(z, codes)], len(dead), generator).to(codes)
        dead = dead[: len(place)]
        self.codebook[dead] = place
        count = 0.5 * self.count.mean()
        self.count[dead] = count
        self.total[dead] = place * count

    def _generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(int(self.updates))


def _check(metric: str, learn: str, decay: float, commitment: float, restart_below: float) -> None:
    for name, word, known in (
        ("metric", metric, get_args(Metric)),
        ("learn", learn, get_args(Learn)),
    ):
        if word not in known:
            raise InputError(
                f"{name} is {word!r}, expected one of {known}: choose one.{suggest(word, known)}"
            )
    if not 0 <= decay < 1:
        raise InputError(f"decay is {decay}, expected 0 <= decay < 1: 0.99 is usual.")
    for name, value in (("commitment", commitment), ("restart_below", restart_below)):
        if value < 0:
            raise InputError(f"{name} is {value}, expected zero or more: 0 turns it off.")
