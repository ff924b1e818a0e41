"""TODO."""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphs.data.batch import GraphBatch
from graphs.data.edge_list import Edges
from graphs.generators.common.likelihood import LogProb
from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.contraction.state import Partition
from graphs.generators.contraction.tokenizer import ContractionTokenizer
from graphs.invariance import assert_permutation_equivariant, assert_permutation_invariant
from graphs.invariance.report import NamedCheck
from refine_core.noise import Noise


class Hidden(nn.Module):
    """Embedding and transformer on a graph whose nodes are the clusters: (b, n, d)."""

    def __init__(self, refiner: GraphRefiner) -> None:
        super().__init__()
        self.embed, self.transformer = refiner.embed, refiner.transformer
        self.tokens = cast(ContractionTokenizer, refiner.tokenizer)

    def forward(self, graphs: GraphBatch) -> Tensor:
        """Hidden states of the nodes."""
        state = finest(graphs, self.tokens)
        hidden: Tensor = self.transformer(self.embed(state, 1))[:, : graphs.nodes.shape[1]]
        return hidden * graphs.valid[:, :, None]


def finest(graphs: GraphBatch, tokens: ContractionTokenizer) -> Partition:
    """State of which every cluster is a node."""
    edges = Edges.of(graphs)
    return Partition(
        nodes=F.one_hot(graphs.nodes, tokens.labels) * graphs.valid[:, :, None],
        inner=graphs.nodes.new_zeros(*graphs.valid.shape, tokens.kinds),
        valid=graphs.valid,
        ends=edges.ends,
        label=edges.label,
        real=edges.real,
        split=torch.zeros_like(graphs.valid),
        noise=Noise(0, torch.arange(len(graphs))),
        reverse=tokens.reverse,
    )


def _checks(refiner: GraphRefiner, batch: GraphBatch, seed: int) -> list[NamedCheck]:
    """Of contractions."""
    name = torch.rand(batch.valid.shape, generator=torch.Generator().manual_seed(seed))
    hidden, likely = Hidden(refiner).eval(), LogProb(refiner).eval()
    return [
        (
            "embedding, transformer",
            lambda: assert_permutation_equivariant(hidden, batch, seed=seed),
        ),
        (
            "tokeniser, refiner",
            lambda: assert_permutation_invariant(
                likely, batch, node_inputs=[name.double()], seed=seed
            ),
        ),
    ]
