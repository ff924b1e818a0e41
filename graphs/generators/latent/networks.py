# mypy: ignore-errors
"""Encoder and decoder of the latent pyramid, both set transformers without positions."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphs.config import LatentConfig
from graphs.data.batch import GraphBatch
from graphs.generators.latent.laplacian_eigenvectors import frequencies
from graphs.pairs import PairLogits
from refine_core.tokens import Tokens
from refine_core.transformer import Transformer


def _transformer(config: LatentConfig) -> Transformer:
    return Transformer(config.dim, config.depth, config.heads, 1, config.dim)


def _level(x: Tensor) -> Tensor:
    return torch.zeros(x.shape[1], dtype=torch.int64, device=x.device)


class Pool(nn.Module):
    """Pooling by attention with learned seeds (PMA, Lee et al., arXiv 1810.00825).

    Args:
        config: Sizes.
    """

    def __init__(self, config: LatentConfig) -> None:
        super().__init__()
        dim = config.dim
        self.seeds = nn.Parameter(torch.randn(config.slots, dim) * dim**-0.5)
        self.attend = nn.MultiheadAttention(dim, config.heads, batch_first=True)
        self.mlp = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim)
        )

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Slots (b, s, d) of nodes x (b, n, d), of which `valid` (b, n) are real."""
        seeds = self.seeds.expand(len(x), -1, -1)
        found = seeds + self.attend(seeds, x, x, key_padding_mask=~valid, need_weights=False)[0]
        pooled: Tensor = found + self.mlp(found)
        return pooled


class Encoder(nn.Module):
    """Graphs to latents of nodes and slots, between -2 and 2.

    Args:
        config: Sizes.
        labels: Node labels T and edge labels O.
        width: Frequencies looked at.
    """

    def __init__(self, config: LatentConfig, labels: tuple[int, int], width: int) -> None:
        super().__init__()
        self.width = width
        self.label = nn.Embedding(labels[0], config.dim)
        self.frequency = nn.Linear(width, config.dim)
        self.spectrum = nn.Linear(width, config.dim)
        self.bias = nn.Embedding(labels[1] + 1, config.heads)
        self.transformer = _transformer(config)
        self.pool = Pool(config)
        self.node = nn.Linear(config.dim, config.channels)
        self.slot = nn.Linear(config.dim, config.channels)

    def forward(self, graphs: GraphBatch, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Latents of nodes (b, n, c) and of slots (b, s, c).

        Args:
            graphs: b graphs.
            noise: (b, n, m) standard normal numbers, m no less than n; see `frequencies`.
        """
        n = graphs.nodes.shape[1]
        vectors, values = frequencies(graphs, noise[:, :, :n])
        more = (0, max(0, self.width - n))
        vectors, values = F.pad(vectors, more), F.pad(values, more)
        value = self.label(graphs.nodes) + self.frequency(vectors[:, :, : self.width])
        bias = self.bias(graphs.edges).permute(0, 3, 1, 2)
        condition = self.spectrum(values[:, : self.width])
        tokens = Tokens(value, _level(value), graphs.valid, bias, condition=condition)
        hidden = self.transformer(tokens)
        slots = self.slot(self.pool(hidden, graphs.valid))
        return 2 * self.node(hidden).tanh(), 2 * slots.tanh()


class Decoder(nn.Module):
    """Latents to labels of nodes and pairs.

    Args:
        config: Sizes.
        labels: Node labels T and edge labels O.
    """

    def __init__(self, config: LatentConfig, labels: tuple[int, int]) -> None:
        super().__init__()
        self.enter = nn.Linear(config.channels, config.dim)
        self.slot = nn.Linear(config.channels * config.slots, config.dim)
        self.transformer = _transformer(config)
        self.node = nn.Linear(config.dim, labels[0])
        self.pair = PairLogits(config.dim, labels[1] + 1)

    def forward(self, nodes: Tensor, slots: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (b, n, T) of nodes and (b, n, n, O + 1) of pairs.

        Args:
            nodes: (b, n, c).
            slots: (b, s, c).
            valid: (b, n) bool.
        """
        value = self.enter(nodes)
        tokens = Tokens(value, _level(value), valid, condition=self.slot(slots.flatten(1)))
        hidden = self.transformer(tokens)
        alike = torch.zeros(1, 1, 1, dtype=torch.int64, device=valid.device)
        relation = alike.expand(len(valid), valid.shape[1], valid.shape[1])
        return self.node(hidden), self.pair(hidden, relation)
