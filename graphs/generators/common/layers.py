"""Networks that several kinds of generators share."""

import torch
from torch import Tensor, nn

from refine_core.transformer import Transformer


def set_transformer(
    dim: int, depth: int, heads: int, dropout: float, *, levels: int
) -> Transformer:
    """A transformer without positions, conditioned on a vector; a scale sees its state only.

    Args:
        dim: Width.
        depth: Blocks.
        heads: Attention heads.
        dropout: Inside the blocks.
        levels: Kinds of tokens that have parameters of their own.
    """
    return Transformer(
        dim, depth, heads, levels=levels, condition=dim, history="markov", dropout=dropout
    )


class PairLogits(nn.Module):
    """Symmetric logits of pairs of nodes, from the states of both and how they are related.

    Args:
        dim: Width d.
        outputs: Count v of logits.
        relations: Count of relations.
    """

    def __init__(self, dim: int, outputs: int, relations: int = 1) -> None:
        super().__init__()
        self.end = nn.Linear(dim, dim)
        self.both = nn.Linear(dim, dim, bias=False)
        self.relation = nn.Embedding(relations, dim)
        self.out = nn.Sequential(
            nn.GELU(), nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, outputs)
        )

    def forward(self, hidden: Tensor, relation: Tensor) -> Tensor:
        """(b, n, n, v), zero on the diagonal.

        Args:
            hidden: (b, n, d).
            relation: (b, n, n) int64, symmetric.
        """
        n = hidden.shape[1]
        i, j = torch.triu_indices(n, n, 1, device=hidden.device)
        end, both = self.end(hidden), self.both(hidden)
        x = end[:, i] + end[:, j] + both[:, i] * both[:, j] + self.relation(relation[:, i, j])
        pair = self.out(x)
        table = pair.new_zeros(len(pair), n, n, pair.shape[2])
        table[:, i, j] = pair
        symmetric: Tensor = table + table.transpose(1, 2)
        return symmetric
