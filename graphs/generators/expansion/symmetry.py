"""Whether expansion treats nodes as a set."""

import torch
from torch import Tensor, nn

from graphs.data.batch import GraphBatch
from graphs.generators.common.likelihood import LogProb
from graphs.generators.common.parallel import choose
from graphs.generators.expansion.model import ExpansionRefiner
from graphs.generators.expansion.state import Coarse
from graphs.invariance import assert_permutation_equivariant, assert_permutation_invariant
from graphs.invariance.report import NamedCheck
from refine_core.noise import Noise


class Hidden(nn.Module):
    """Embedding and transformer on a graph whose nodes are clusters of two: (b, n, d)."""

    def __init__(self, refiner: ExpansionRefiner) -> None:
        super().__init__()
        self.embed, self.transformer = refiner.embed, refiner.transformer

    def forward(self, graphs: GraphBatch, name: Tensor) -> Tensor:
        """Hidden states of clusters, of which such as `name` (b, n) chooses split."""
        size, joined = graphs.valid * 2, graphs.edges > 0
        split = choose(size, joined, name, "independent")
        noise = Noise(0, torch.arange(len(graphs)))
        state = Coarse(size, size * 0, joined.long(), split, noise)
        hidden: Tensor = self.transformer(self.embed(state, 1))
        return hidden * graphs.valid[:, :, None]


def checks(refiner: ExpansionRefiner, batch: GraphBatch, seed: int) -> list[NamedCheck]:
    """Part and check of each.

    Args:
        refiner: To check.
        batch: Graphs without labels.
        seed: Of relabellings.
    """
    name = torch.rand(batch.valid.shape, generator=torch.Generator().manual_seed(seed)).double()
    hidden, likely = Hidden(refiner).eval(), LogProb(refiner).eval()
    return [
        (
            "embedding, transformer",
            lambda: assert_permutation_equivariant(
                hidden, batch, node_inputs=[name.float()], seed=seed
            ),
        ),
        (
            "tokeniser, refiner",
            lambda: assert_permutation_invariant(likely, batch, node_inputs=[name], seed=seed),
        ),
    ]
