"""Models that are equivariant, and some that are not, for the test kit to tell apart."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from graphs.data.batch import GraphBatch
from graphs.invariance import PermutationError, dense_example

DIM = 4


class Pool(nn.Module):
    """Mean over the nodes; leaky where it divides by the rows."""

    def __init__(self, leak: bool = False) -> None:
        super().__init__()
        self.leak = leak

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        if self.leak:
            return x.mean(1)
        weight = valid[:, :, None].to(x)
        return (x * weight).sum(1) / weight.sum(1)


class Position(nn.Module):
    """Learned positions."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(64, DIM))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.table[: x.shape[1]]


class FirstBest(nn.Module):
    """Marks the node of the highest score, of several the first."""

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        best = x.sum(-1).masked_fill(~valid, -torch.inf).argmax(1)
        return torch.cat([x, nn.functional.one_hot(best, x.shape[1])[:, :, None].to(x)], -1)


class Model(nn.Module):
    """Mixes neighbours and pools; `broken` are the places where it goes wrong."""

    def __init__(self, *broken: str) -> None:
        super().__init__()
        self.enter = nn.Linear(DIM, DIM)
        self.position = Position() if "position" in broken else nn.Identity()
        self.mark = FirstBest() if "ties" in broken else None
        self.body = nn.Sequential(nn.LazyLinear(8), nn.ReLU(inplace=True), nn.Linear(8, DIM))
        self.pool = Pool("padding" in broken)

    def forward(self, x: Tensor, adjacency: Tensor, valid: Tensor) -> dict[str, Tensor]:
        x = self.position(self.enter(x)) * valid[:, :, None]
        adjacency = adjacency * (valid[:, :, None] & valid[:, None])
        x = x + adjacency @ x / 2  # by half, else the ends of a single edge become equal
        x = x if self.mark is None else self.mark(x, valid)
        h = self.body(x)
        return {"node": h, "edge": h[:, :, None] + h[:, None], "graph": self.pool(h, valid)}


class DeepSet(nn.Module):
    """Zaheer et al., 2017."""

    def __init__(self) -> None:
        super().__init__()
        self.phi, self.rho = nn.Linear(DIM, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor, adjacency: Tensor, valid: Tensor) -> Tensor:
        out: Tensor = self.rho((self.phi(x).relu() * valid[:, :, None]).sum(1))
        return out


class Transformer(nn.Module):
    """torch's encoder, without positions."""

    def __init__(self, masked: bool = True) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(DIM, 2, 8, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.masked = masked

    def forward(self, x: Tensor, adjacency: Tensor, valid: Tensor) -> Tensor:
        out: Tensor = self.encoder(x, src_key_padding_mask=~valid if self.masked else None)
        return out


class SetTransformer(nn.Module):
    """Attention to learned points and back (ISAB), then from a seed (PMA); Lee et al., 2019."""

    def __init__(self) -> None:
        super().__init__()
        self.points, self.seed = nn.Parameter(torch.randn(3, DIM)), nn.Parameter(torch.randn(DIM))
        self.reduce, self.spread, self.pool = (
            nn.MultiheadAttention(DIM, 2, batch_first=True) for _ in range(3)
        )

    def forward(self, x: Tensor, adjacency: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        b, hidden = len(x), ~valid
        h = self.reduce(self.points.expand(b, -1, -1), x, x, key_padding_mask=hidden)[0]
        x = x + self.spread(x, h, h)[0]
        return x, self.pool(self.seed.expand(b, 1, -1), x, x, key_padding_mask=hidden)[0][:, 0]


class Labels(nn.Module):
    """Embeds the labels of a GraphBatch, and returns other labels."""

    def __init__(self, sort: bool = False) -> None:
        super().__init__()
        self.embed, self.sort = nn.Embedding(3, DIM), sort

    def forward(self, batch: GraphBatch) -> tuple[Tensor, GraphBatch]:
        nodes = batch.nodes.sort(1).values if self.sort else (batch.nodes + 1) * batch.valid
        links = (batch.edges > 0).to(torch.get_default_dtype())
        h = links @ (self.embed(batch.nodes) * batch.valid[:, :, None])
        return h, GraphBatch(nodes, batch.edges * 2, batch.valid)


class Swap(nn.Module):
    """Breaks where features ascend, and nowhere else."""

    def forward(self, x: Tensor, adjacency: Tensor, valid: Tensor) -> Tensor:
        wrong = (x[:, 3] > x[:, 2]) & (x[:, 2] > x[:, 1]) & (x[:, 1] > x[:, 0])
        return x + wrong[:, None].to(x)


def built(module: nn.Module) -> nn.Module:
    module(*dense_example(DIM))  # lazy layers take their size
    return module.eval()


def failure(check: Callable[..., Any], *args: Any, **options: Any) -> PermutationError:
    with pytest.raises(PermutationError) as caught:
        check(*args, **options)
    return caught.value
