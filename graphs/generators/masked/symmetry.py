"""Whether masked diffusion treats nodes as a set."""

from typing import Any, cast

import torch
from torch import Tensor, nn

from graphs.data.batch import GraphBatch
from graphs.generators.masked.distribution import RevealDistribution
from graphs.generators.masked.model import MaskedRefiner
from graphs.generators.masked.state import Partial, ranks
from graphs.generators.masked.tokenizer import MaskedTokenizer
from graphs.invariance import assert_permutation_equivariant
from graphs.invariance.report import NamedCheck, Outcome


class Revealing(nn.Module):
    """Embedding, transformer and head on graphs half hidden."""

    def __init__(self, refiner: MaskedRefiner) -> None:
        super().__init__()
        self.embed, self.transformer = refiner.embed, refiner.transformer
        self.head: Any = refiner.head
        self.labels = cast(MaskedTokenizer, refiner.tokenizer).labels

    def forward(self, graphs: GraphBatch, node: Tensor, edge: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (b, n, T) of nodes and (b, n, n, O + 1) of pairs, zero at padding.

        Args:
            graphs: b graphs.
            node: (b, n) numbers, of which and of `edge` the smaller half is not hidden.
            edge: (b, n, n), symmetric.
        """
        order, half = (
            ranks(node, edge, graphs.valid),
            (graphs.sizes + 1) ** 2 // 4,
        )
        state = Partial.of(graphs, order, half, self.labels, 0)
        dist: RevealDistribution = self.head(self.transformer(self.embed(state, 0)), state, 0)
        inside = graphs.valid[:, :, None]
        return dist.nodes * inside, dist.edges * state.pairs[..., None]


def checks(refiner: MaskedRefiner, batch: GraphBatch, seed: int) -> list[NamedCheck]:
    """Part and check of each.

    Args:
        refiner: To check.
        batch: Graphs with its labels.
        seed: Of relabellings.
    """
    random, (count, n) = torch.Generator().manual_seed(seed), batch.valid.shape
    edge = torch.rand(count, n, n, generator=random).triu(1)
    node, edge = torch.rand(count, n, generator=random), edge + edge.mT
    module = Revealing(refiner).eval()

    def revealing() -> Outcome:
        return assert_permutation_equivariant(
            module, batch, node_inputs=[node], edge_inputs=[edge], seed=seed
        )

    return [("embedding, transformer, head", revealing)]
