"""Random subsets of a given size: the conditional Bernoulli distribution.

    P(S) = prod_{i in S} exp(l_i) / e_s(exp(l)),   |S| = s,

with the elementary symmetric polynomial e_s (Chen, Dempster and Liu, Biometrika 81, 1994).
"""

import torch
from torch import Tensor

_NEVER = -1e9


def log_normaliser(logits: Tensor, size: Tensor) -> Tensor:
    """Log of e_s for every tail: (r, D + 1, S + 1), entry [i, s] over the elements from i on.

    Args:
        logits: (r, D), `-inf` or a large negative number at padding.
        size: (r,) int64 subset sizes; S is the largest.
    """
    rows, count = logits.shape
    most = int(size.max()) if rows else 0
    tail = torch.full((rows, most + 1), _NEVER, dtype=logits.dtype, device=logits.device)
    tail[:, 0] = 0
    tails = [tail]
    never = tail.new_full((rows, 1), _NEVER)
    for i in reversed(range(count)):
        taken = torch.cat([never, tail[:, :-1]], 1) + logits[:, i, None]
        tail = torch.logaddexp(tail, taken)
        tails.append(tail)
    return torch.stack(tails[::-1], 1)


def log_prob(logits: Tensor, chosen: Tensor) -> Tensor:
    """Log-probability (r,) of subsets (r, D) bool of their sizes."""
    size = chosen.sum(1)
    total = log_normaliser(logits, size)[:, 0].gather(1, size[:, None])[:, 0]
    return torch.where(chosen, logits, 0).sum(1) - total


def sample(logits: Tensor, size: Tensor, uniform: Tensor) -> Tensor:
    """Subsets (r, D) bool of `size` (r,), from `uniform` (r, D)."""
    tails = log_normaliser(logits, size)
    chosen = torch.zeros_like(logits, dtype=torch.bool)
    left = size.clone()
    for i in range(logits.shape[1]):
        fewer = tails[:, i + 1].gather(1, (left - 1).clamp(min=0)[:, None])[:, 0]
        whole = tails[:, i].gather(1, left[:, None])[:, 0]
        take = (left > 0) & (uniform[:, i].log() < logits[:, i] + fewer - whole)
        chosen[:, i] = take
        left = left - take.long()
    return chosen
