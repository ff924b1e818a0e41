"""Laws of counts: how many of some edges go to the first of two parts."""

import torch
from torch import Tensor, nn

NEVER = -1e9


def pairs(size: Tensor) -> Tensor:
    """Pairs of nodes."""
    return size * (size - 1) // 2


def tilted(
    total: Tensor,
    first: Tensor,
    second: Tensor,
    tilt: Tensor,
    low: Tensor | int,
    other: Tensor | int,
) -> Tensor:
    """(..., v) logits of the part of a total that falls into the first of two parts.

    Args:
        total: (...) int64 w.
        first: (...) int64 places K in the first part.
        second: (...) int64 places L in the second part.
        tilt: (..., 2) a and b.
        low: (...) int64 least in the first part.
        other: (...) int64 least in the second part.
    """
    x = torch.arange(int(total.max()) + 1, device=total.device)
    w, here, there = (y[..., None] for y in (total, first, second))
    rest = w - x
    inside = (x <= here) & (rest <= there) & (x >= unsqueezed(low)) & (rest >= unsqueezed(other))
    # Padding, and totals that do not fit, have one value.
    inside = inside | (~inside.any(-1, keepdim=True) & (x == 0))
    choices = _choose(here, x) + _choose(there, rest.clamp(min=0))
    a, b = tilt[..., :1], tilt[..., 1:]
    logits = choices + a * x + b * x * rest / w.clamp(min=1)
    return logits.masked_fill(~inside, NEVER)


def mixed(logits: Tensor, weight: Tensor) -> Tensor:
    """(r, v) log-probabilities of a mixture of laws (r, c, v) by weights (r, c), all logits.

    >>> laws = torch.tensor([[[9.0, 0.0, 0.0], [0.0, 0.0, 9.0]]])
    >>> mixed(laws, torch.zeros(1, 2)).exp().round(decimals=2)
    tensor([[0.5000, 0.0000, 0.5000]])
    """
    each = logits.log_softmax(2) + weight.log_softmax(1)[..., None]
    mixture: Tensor = each.logsumexp(1)
    return mixture


def several(dim: int, modes: int) -> nn.Linear:
    """A linear map to three numbers of each mode of a mixture; the first numbers start apart."""
    layer = nn.Linear(dim, 3 * modes)
    with torch.no_grad():
        layer.weight.mul_(0.1)
        layer.bias.zero_()
        layer.bias[:modes] = torch.linspace(-1, 1, modes)
    return layer


def zero(dim: int, outputs: int) -> nn.Linear:
    """A linear map that starts as zero."""
    layer = nn.Linear(dim, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def unsqueezed(x: Tensor | int) -> Tensor | int:
    """Bounds (...) as (..., 1)."""
    return x if isinstance(x, int) else x[..., None]


def _choose(n: Tensor, k: Tensor) -> Tensor:
    """Logarithm of the binomial coefficient; meaningless where k > n."""
    n, k = n.float(), k.float()
    return torch.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma((n - k).clamp(min=0) + 1)
