"""Checks that contraction treats nodes as a set."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphs.data.batch import GraphBatch
from graphs.data.edge_list import Edges
from graphs.generators.common.likelihood import LogProb
from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.contraction.state.partition import Partition
from graphs.generators.contraction.tokenizer import ContractionTokenizer
from graphs.invariance import assert_permutation_equivariant, assert_permutation_invariant
from graphs.invariance.report import NamedCheck
from refine_core.noise import Noise
from refine_core.tokenizer import Trace


class Hidden(nn.Module):
    """Embedding and transformer on a graph whose nodes are the clusters: (b, n, d)."""

    def __init__(self, refiner: GraphRefiner, tokens: ContractionTokenizer) -> None:
        super().__init__()
        self.embed, self.transformer = refiner.embed, refiner.transformer
        self.tokens = tokens

    def forward(self, graphs: GraphBatch) -> Tensor:
        """Hidden states of the nodes."""
        state = finest(graphs, self.tokens)
        hidden: Tensor = self.transformer(self.embed(state, 1))[:, : graphs.nodes.shape[1]]
        return hidden * graphs.valid[:, :, None]


def finest(graphs: GraphBatch, tokens: ContractionTokenizer) -> Partition:
    """The state in which every cluster is a node."""
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


def symmetry_checks(refiner: GraphRefiner, batch: GraphBatch, seed: int) -> list[NamedCheck]:
    """A check of the networks, and one of the likelihood.

    Args:
        refiner: To check.
        batch: Graphs with its labels, and with sites where nodes are fragments.
        seed: Seed of relabellings.
    """
    tokens = refiner.tokenizer
    assert isinstance(tokens, ContractionTokenizer)

    def trace(graphs: GraphBatch, noise: Noise, node_noise: Tensor) -> Trace[Partition]:
        return tokens.trace(tokens.encoded(graphs, noise, node_noise))

    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(batch.valid.shape, generator=generator).double()
    hidden, log_prob = Hidden(refiner, tokens).eval(), LogProb(refiner, trace).eval()
    # Sites are a further input of the check, which relabels them.
    sites = [] if batch.sites is None else [batch.sites]
    batch = replace(batch, sites=None)
    return [
        (
            "embedding, transformer",
            lambda: assert_permutation_equivariant(hidden, batch, seed=seed),
        ),
        (
            "tokeniser, refiner",
            lambda: assert_permutation_invariant(
                log_prob, batch, node_inputs=[noise], edge_inputs=sites, seed=seed
            ),
        ),
    ]
