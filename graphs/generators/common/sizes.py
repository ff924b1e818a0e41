"""Sizes of graphs: their largest, and their distribution, smoothed over gaps."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from refine_core.errors import InputError
from refine_core.noise import Noise


@dataclass(frozen=True)
class SizeLimit:
    """The largest size of a graph, in nodes; a fragment counts as many as it has atoms.

    Args:
        most: That size.
        of_label: How many a node of each label counts, T of them.

    >>> SizeLimit(3, (1, 2)).exceeded(torch.tensor([[1, 1], [0, 2]])).tolist()
    [False, True]
    """

    most: int
    of_label: tuple[int, ...]

    def exceeded(self, counts: Tensor) -> Tensor:
        """(...) bool, of counts (..., T) int64 of nodes of each label."""
        return (counts * self.weights(counts.device)).sum(-1) > self.most

    def weights(self, device: torch.device) -> Tensor:
        """(T,) int64, how many a node of each label counts."""
        return torch.tensor(self.of_label, device=device)


class Sizes(nn.Module):
    """Distribution of sizes.

    The probability of sizes that did not occur is estimated by the share of sizes that occurred
    once (Good and Turing, 1953), and spread by a Gaussian kernel of Silverman's width (1986, eq.
    3.31), up to three widths beyond the largest size. Where every size occurred twice, the
    distribution is the histogram itself.

    Args:
        counts: Counts of training graphs of size 0, 1, ...

    Raises:
        InputError: There is no graph.

    >>> Sizes((0, 2, 6)).log_prob(torch.tensor([1, 2, 3])).exp().tolist()
    [0.25, 0.75, 0.0]
    >>> law = Sizes((0,) * 10 + (1, 4, 0, 0, 1, 4, 2))
    >>> bool((law.log_prob(torch.arange(9, 18)) > -7).all())
    True
    """

    def __init__(self, counts: tuple[int, ...]) -> None:
        super().__init__()
        self.share: Tensor
        if sum(counts) < 1:
            raise InputError(
                f"Found sizes {counts}, expected how many graphs have 0, 1, ... nodes."
            )
        self.register_buffer("share", _smoothed(counts).cumsum(0), persistent=False)

    @property
    def largest(self) -> int:
        """Nodes of the largest graph."""
        return len(self.share) - 1

    def log_prob(self, size: Tensor) -> Tensor:
        """Log-probability (b,) of sizes (b,) int64."""
        each = self.share.diff(prepend=self.share.new_zeros(1)).log().float()
        inside = size <= self.largest
        return torch.where(inside, each[size.clamp(max=self.largest)], -torch.inf)

    def sample(self, noise: Noise, stream: int) -> Tensor:
        """The nodes of b graphs, (b, n) bool, where n is the largest size drawn."""
        size = (self.share <= noise.uniform(stream)[:, None]).sum(1)
        return torch.arange(int(size.max()), device=size.device) < size[:, None]


def _smoothed(counts: tuple[int, ...]) -> Tensor:
    """Probability of size 0, 1, ... up to the largest that has any."""
    count = torch.tensor(counts, dtype=torch.float64)
    share, size = count / count.sum(), torch.arange(len(counts), dtype=torch.float64)
    unseen = float((count == 1).sum() / count.sum())
    spread = float((share * (size - (share * size).sum()) ** 2).sum().sqrt())
    width = 0.9 * spread * sum(counts) ** -0.2
    if not unseen * width:
        return share
    reached = torch.arange(len(counts) + int(3 * width), dtype=torch.float64)
    kernel = torch.exp(-(((reached[:, None] - size) / width) ** 2) / 2) @ share
    kernel[0] = 0
    result = unseen * kernel / kernel.sum()
    result[: len(counts)] += (1 - unseen) * share
    return result
