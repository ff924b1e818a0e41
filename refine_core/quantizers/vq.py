"""Vector quantisation: the nearest vector of a learned codebook.

Van den Oord, Vinyals and Kavukcuoglu, 2017, arXiv 1711.00937.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from refine_core.errors import InputError
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

_CANDIDATES = 4  # vectors per code among which a dead code finds its new place


class VQ(Quantizer):
    """A codebook of `codes` vectors; a code is the index of the nearest one.

    The loss is the commitment term of the paper's equation 1, `beta |z - sg[e]|^2`, as a mean over
    elements; moving averages of the vectors that chose a code take the place of the other term
    (arXiv 1711.00937, appendix A.1).

    Until the first `update`, each training call places the codebook by k-means on all vectors seen
    so far, so that a codebook shared by several scales ends up placed for all of them. Later,
    `update` moves it and gives codes that are hardly ever chosen the place of a badly represented
    vector of the batch. What is random depends on the number of updates only, so a resumed run
    equals an uninterrupted one. Under `torch.distributed` all processes keep the same codebook,
    that of the joined batch; each must make the same number of calls.

    Args:
        codes: Size of the codebook, V.
        dim: d, channels of a vector.
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
        decay: float = 0.99,
        commitment: float = 0.25,
        restart_below: float = 0.1,
    ) -> None:
        super().__init__()
        positive(codes=codes, dim=dim)
        _check(decay, commitment, restart_below)
        self.size, self.dim = codes, dim
        self.decay, self.commitment, self.restart_below = decay, commitment, restart_below
        self.register_buffer("codebook", torch.randn(codes, dim) / dim**0.5)
        self.register_buffer("count", torch.zeros(codes))
        self.register_buffer("total", torch.zeros(codes, dim))
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        self._seen: list[tuple[Tensor, Tensor]] = []  # vectors and codes since the last update

    def forward(self, z: Tensor) -> Quantized:
        """Quantise (b, n, d) vectors; `clipped` is zero, as a codebook has no range."""
        z = self.vectors(z)
        code = self._study(z.detach()) if self.training else self._search(z)
        value = self.decode(code)
        loss = self.commitment * squared_error(z, value.detach())
        return Quantized(straight_through(value, z), code, loss, loss.new_zeros(()))

    def encode(self, z: Tensor) -> Tensor:
        """The index (b, n, 1) of the nearest code, without gradient."""
        return self._search(self.vectors(z))

    def decode(self, code: Tensor) -> Tensor:
        """The codes (b, n, d) of the indices (b, n, 1)."""
        return F.embedding(code[..., 0], self.codebook)

    @torch.no_grad()
    def update(self) -> None:
        """Apply the moving averages and restart dead codes; only in training, after a call."""
        seen, self._seen = self._seen, []
        if not (self.training and seen):
            return
        z, code = (torch.cat(parts) for parts in zip(*seen, strict=True))
        first = int(self.updates) == 0
        if first:  # the codebook moved between the calls
            code = nearest(z, self.codebook)
        count, total = (all_sum(x).to(self.total) for x in tally(z, code, self.size))
        if not count.any():
            return
        fresh = 1.0 if first else 1 - self.decay
        self.count.lerp_(count, fresh)
        self.total.lerp_(total, fresh)
        self._move()
        if not first:
            self._restart([vectors for vectors, _ in seen])
        self.updates += 1

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"codes={self.size}, dim={self.dim}, decay={self.decay}, "
            f"commitment={self.commitment}, restart_below={self.restart_below}"
        )

    def _search(self, z: Tensor) -> Tensor:
        """The index (b, n, 1) of the nearest code."""
        flat = z.detach().reshape(-1, self.dim)
        return nearest(flat, self.codebook).reshape(*z.shape[:-1], 1)

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
            self.codebook[: len(centres)] = centres

    def _move(self) -> None:
        """The moving averages are the codebook; a code that nothing chose for ages stays."""
        alive, mean = self.count > 1e-6, self.total / self.count[:, None]
        self.codebook.copy_(torch.where(alive[:, None], mean, self.codebook))

    def _restart(self, calls: list[Tensor]) -> None:
        """Dead codes become badly represented vectors, with half the mean count."""
        dead = (self.count < self.restart_below * self.count.mean()).nonzero()[:, 0]
        if len(dead) == 0:
            return
        generator, codes = self._generator(), self.codebook
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


def _check(decay: float, commitment: float, restart_below: float) -> None:
    if not 0 <= decay < 1:
        raise InputError(f"decay is {decay}, expected 0 <= decay < 1: 0.99 is usual.")
    for name, value in (("commitment", commitment), ("restart_below", restart_below)):
        if value < 0:
            raise InputError(f"{name} is {value}, expected zero or more: 0 turns it off.")
