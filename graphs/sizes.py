"""How many nodes graphs have: the histogram of the training graphs."""

import torch
from torch import Tensor, nn

from refine_core.errors import InputError
from refine_core.noise import Noise


class Sizes(nn.Module):
    """Distribution of sizes.

    Args:
        counts: Of training graphs of size 0, 1, ...

    Raises:
        InputError: There is no graph.

    >>> Sizes((0, 1, 3)).log_prob(torch.tensor([1, 2, 3])).exp().tolist()
    [0.25, 0.75, 0.0]
    """

    def __init__(self, counts: tuple[int, ...]) -> None:
        super().__init__()
        self.share: Tensor
        if sum(counts) < 1:
            raise InputError(
                f"Found sizes {counts}, expected how many graphs have 0, 1, ... nodes."
            )
        share = torch.tensor(counts, dtype=torch.float64).cumsum(0) / sum(counts)
        self.register_buffer("share", share, persistent=False)

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
        """Which nodes there are, (b, n) bool, n being the largest size drawn."""
        size = (self.share <= noise.uniform(stream)[:, None]).sum(1)
        return torch.arange(int(size.max()), device=size.device) < size[:, None]
