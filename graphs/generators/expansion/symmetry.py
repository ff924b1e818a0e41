"""Checks that expansion treats nodes as a set."""

import torch
from torch import Tensor, nn

from graphs.data.batch import GraphBatch
from graphs.generators.common.likelihood import LogProb
from graphs.generators.common.parallel import choose
from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.expansion.state import CoarseGraph
from graphs.generators.expansion.tokenizer import ExpansionTokenizer
from graphs.invariance import assert_permutation_equivariant, assert_permutation_invariant
from graphs.invariance.report import NamedCheck
from refine_core.noise import Noise
from refine_core.tokenizer import Trace


class Hidden(nn.Module):
    """Embedding and transformer on a graph whose nodes are clusters of two: (b, n, d)."""

    def __init__(self, refiner: GraphRefiner) -> None:
        super().__init__()
        self.embed, self.transformer = refiner.embed, refiner.transformer

    def forward(self, graphs: GraphBatch, node_noise: Tensor) -> Tensor:
        """Hidden states of clusters; `node_noise` (b, n) chooses which of them split."""
        size, joined = graphs.valid * 2, graphs.edges > 0
        split = choose(size, joined, node_noise)
        noise = Noise(0, torch.arange(len(graphs)))
        state = CoarseGraph(size, size * 0, joined.long(), split, noise)
        hidden: Tensor = self.transformer(self.embed(state, 1))
        return hidden * graphs.valid[:, :, None]


def symmetry_checks(refiner: GraphRefiner, batch: GraphBatch, seed: int) -> list[NamedCheck]:
    """A check of the networks, and one of the likelihood.

    Args:
        refiner: To check.
        batch: Graphs without labels.
        seed: Seed of relabellings.
    """
    tokens = refiner.tokenizer
    assert isinstance(tokens, ExpansionTokenizer)

    def trace(graphs: GraphBatch, noise: Noise, node_noise: Tensor) -> Trace[CoarseGraph]:
        return tokens.trace(tokens.encoded(graphs, noise, node_noise))

    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(batch.valid.shape, generator=generator).double()
    hidden, log_prob = Hidden(refiner).eval(), LogProb(refiner, trace).eval()
    return [
        (
            "embedding, transformer",
            lambda: assert_permutation_equivariant(
                hidden, batch, node_inputs=[noise.float()], seed=seed
            ),
        ),
        (
            "tokeniser, refiner",
            lambda: assert_permutation_invariant(log_prob, batch, node_inputs=[noise], seed=seed),
        ),
    ]
