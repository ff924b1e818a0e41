"""Networks that several kinds of generators share."""

import torch
from torch import Tensor, nn

from graphs.config import ModelConfig
from refine_core.transformer import Transformer


def set_transformer(config: ModelConfig, levels: int) -> Transformer:
    """A transformer without positions, conditioned on a vector; a scale sees its state only.

    Args:
        config: Sizes.
        levels: Kinds of tokens that have parameters of their own.
    """
    return Transformer(
        config.dim,
        config.depth,
        config.heads,
        levels=levels,
        condition=config.dim,
        history="markov",
        dropout=config.dropout,
    )


class PairLogits(nn.Module):
    """From the states of both ends of a pair, and what relates them, to logits.

    Args:
        dim: Width d.
        outputs: Count v of logits.
        relations: Relations told apart.
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
        both_ways: Tensor = table + table.transpose(1, 2)
        return both_ways
