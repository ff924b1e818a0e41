"""Whether a trained model treats nodes as a set, part by part."""

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphs.edges import Edges
from graphs.expansion.symmetry import checks as expansion
from graphs.graph import GraphBatch
from graphs.invariance import (
    assert_exchangeable,
    assert_permutation_equivariant,
    assert_permutation_invariant,
    check_model,
    graph_example,
)
from graphs.latent.symmetry import checks as latent
from graphs.likelihood import LogProb
from graphs.masked.symmetry import Named
from graphs.masked.symmetry import checks as masked
from graphs.partition import Partition
from graphs.tokenizer import ContractionTokenizer
from graphs.trained import GraphModel
from refine_core.noise import Noise
from refine_core.refiner import Refiner


class Hidden(nn.Module):
    """Embedding and transformer on a graph whose nodes are the clusters: (b, n, d)."""

    def __init__(self, refiner: Refiner) -> None:
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


def check(model: GraphModel, *, draws: int = 2000, seed: int = 0) -> bool:
    """Print a table of errors and p-values; whether nothing leaks the order of the nodes.

    Args:
        model: To check, on the CPU.
        draws: Graphs to draw for the test of the sampler's law.
        seed: Of relabellings and draws.
    """
    batch = graph_example(model.vocabulary, seed=seed)
    refiner: Any = model.refiner
    kinds: dict[str, Any] = {
        "contraction": _checks,
        "expansion": expansion,
        "masked": masked,
        "latent": latent,
    }
    checks = kinds[model.config.model.kind]
    law = ("sampler", lambda: assert_exchangeable(lambda s: model.sample(draws, seed=s)))
    return check_model([*checks(refiner, batch, seed), law])


def _checks(refiner: Refiner, batch: GraphBatch, seed: int) -> list[Named]:
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
