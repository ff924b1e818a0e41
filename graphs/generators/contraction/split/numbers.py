"""The numbers of a split, one after the other, of those digits alone that have something to count.

    p(c | h) = prod_i p(c_i | h, digit i, what the cluster has of it, sum_{j < i} f(digit j, c_j))

A cluster of nine fragments has nine labels among hundreds. So codes are compact here: a row has a
column for each label that its cluster holds, and the digits of edges behind.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from graphs.generators.common.steady import by_rows
from graphs.generators.contraction.state.partition import letters_first


@dataclass(frozen=True)
class Columns:
    """Which digits the columns of compact codes are.

    Args:
        place: (r, c) int64 place of each column in a whole code; distinct in a row.
        digit: (r, c) int64 what it counts: one of T labels of nodes, then of edges.
        cap: (r, c) int64 what the cluster has of it; 0 at padding.
        digits: Digits g of a whole code.
    """

    place: Tensor
    digit: Tensor
    cap: Tensor
    digits: int

    @classmethod
    def of(
        cls, nodes: Tensor, inner: Tensor, outer: Tensor, letters: Tensor, labels: int
    ) -> "Columns":
        """Those of clusters.

        Args:
            nodes: (r, l) of each letter.
            inner: (r, O) edges inside.
            outer: (r, O) edges that leave.
            letters: (r, l) labels that are counted.
            labels: Count T of all labels.
        """
        own = letters_first(nodes)
        edges = torch.cat([inner, inner, outer], 1)
        rest = torch.arange(edges.shape[1], device=nodes.device).expand_as(edges)
        return cls(
            place=torch.cat([own, nodes.shape[1] + rest], 1),
            digit=torch.cat([letters.gather(1, own), labels + rest], 1),
            cap=torch.cat([nodes.gather(1, own), edges], 1),
            digits=nodes.shape[1] + edges.shape[1],
        )

    def compact(self, code: Tensor) -> Tensor:
        """(r, c) of whole codes (r, g)."""
        return code.gather(1, self.place)

    def whole(self, code: Tensor) -> Tensor:
        """(r, g) of compact codes (r, c)."""
        return code.new_zeros(len(code), self.digits).scatter(1, self.place, code)


class NumberNet(nn.Module):
    """Logits of the numbers of codes.

    Args:
        dim: Width d.
        digits: Digits g of a whole code.
        values: Values of a number.
    """

    def __init__(self, dim: int, digits: int, values: int) -> None:
        super().__init__()
        self.values = values
        self.enter = nn.Linear(dim, dim)
        self.place = nn.Parameter(0.02 * torch.randn(digits, dim))
        self.cap = nn.Parameter(0.02 * torch.randn(values, dim))
        self.past = nn.Parameter(0.5 * torch.randn(digits, dim))
        self.number = nn.Parameter(0.5 * torch.randn(values, dim))
        self.keep = nn.Sequential(nn.GELU(), nn.Linear(dim, dim))
        self.out = nn.Sequential(nn.GELU(), nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, values))
        self.bias = nn.Parameter(torch.zeros(digits, values))

    def entered(self, hidden: Tensor) -> Tensor:
        """(r, d) hidden states of clusters, as `logits` takes them."""
        return by_rows(self.enter, hidden)

    def remembered(self, digit: Tensor, number: Tensor, cap: Tensor) -> Tensor:
        """(..., d) what numbers (...) of digits add to the memory; nothing where the cap is 0."""
        kept = by_rows(self.keep, self.past[digit] + self._row(self.number, number)).float()
        return kept * (cap > 0)[..., None]

    def logits(self, entered: Tensor, memory: Tensor, digit: Tensor, cap: Tensor) -> Tensor:
        """(r, values) of numbers, from `entered` and the memory (r, d) of those before."""
        x = entered + memory + self.place[digit] + self._row(self.cap, cap)
        return by_rows(self.out, x) + self.bias[digit]

    def _row(self, table: Tensor, number: Tensor) -> Tensor:
        """Rows (..., d) of numbers in a table (values, d)."""
        return table[number.clamp(max=self.values - 1)]
