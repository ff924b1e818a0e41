"""Checks that masked diffusion treats nodes as a set."""

import torch
from torch import Tensor, nn

from graphs.data.batch import GraphBatch
from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.masked.distribution import RevealDistribution
from graphs.generators.masked.state import PartialGraphs, ranks
from graphs.generators.masked.tokenizer import MaskedTokenizer
from graphs.invariance import assert_permutation_equivariant
from graphs.invariance.report import NamedCheck, Outcome


class HiddenLabels(nn.Module):
    """Embedding, transformer and head on graphs of which half the elements are hidden."""

    def __init__(self, refiner: GraphRefiner) -> None:
        super().__init__()
        assert isinstance(refiner.tokenizer, MaskedTokenizer)
        self.embed, self.transformer, self.head = refiner.embed, refiner.transformer, refiner.head
        self.labels = refiner.tokenizer.labels

    def forward(self, graphs: GraphBatch, node: Tensor, edge: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (b, n, T) of nodes and (b, n, n, O + 1) of pairs, zero at padding.

        Args:
            graphs: b graphs.
            node: (b, n) numbers; of these and of `edge`, the smaller half is known.
            edge: (b, n, n), symmetric.
        """
        order, half = ranks(node, edge, graphs.valid), (graphs.sizes + 1) ** 2 // 4
        state = PartialGraphs.of(graphs, order, half, self.labels, 0)
        dist = self.head(self.transformer(self.embed(state, 0)), state, 0)
        assert isinstance(dist, RevealDistribution)
        inside = graphs.valid[:, :, None]
        return dist.nodes * inside, dist.edges * state.pairs[..., None]


def symmetry_checks(refiner: GraphRefiner, batch: GraphBatch, seed: int) -> list[NamedCheck]:
    """A check of the networks.

    Args:
        refiner: To check.
        batch: Graphs with its labels.
        seed: Seed of relabellings.
    """
    random, (count, n) = torch.Generator().manual_seed(seed), batch.valid.shape
    edge = torch.rand(count, n, n, generator=random).triu(1)
    node, edge = torch.rand(count, n, generator=random), edge + edge.mT
    module = HiddenLabels(refiner).eval()

    def check() -> Outcome:
        return assert_permutation_equivariant(
            module, batch, node_inputs=[node], edge_inputs=[edge], seed=seed
        )

    return [("embedding, transformer, head", check)]
