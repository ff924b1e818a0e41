# mypy: ignore-errors
"""Whether the latent pyramid treats nodes as a set."""

from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from graphs.data.batch import GraphBatch
from graphs.generators.latent.model import LatentRefiner
from graphs.generators.latent.tokenizer import LatentTokenizer
from graphs.invariance import assert_permutation_equivariant
from graphs.invariance.tables import Named, Outcome
from refine_core.noise import Noise


class Encoding(nn.Module):
    """Frequencies and encoder: latents (b, n, c) and slots (b, s, c)."""

    def __init__(self, tokenizer: LatentTokenizer) -> None:
        super().__init__()
        self.encoder = tokenizer.encoder

    def forward(self, graphs: GraphBatch, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Latents of graphs whose symmetry is broken by `noise` (b, n, m)."""
        nodes, slots = self.encoder(graphs, noise)
        return nodes * graphs.valid[:, :, None], slots


class Predicting(nn.Module):
    """Embedding, transformer and head: logits of the first plane, half of it known, (b, n, c)."""

    def __init__(self, refiner: LatentRefiner) -> None:
        super().__init__()
        self.embed, self.transformer, self.head = refiner.embed, refiner.transformer, refiner.head
        self.tokens = (cast(LatentTokenizer, refiner.tokenizer),)

    def forward(self, nodes: Tensor, adjacency: Tensor, valid: Tensor, slots: Tensor) -> Tensor:
        """Logits of nodes (b, n, c), given slots (b, s, c)."""
        (tokens,) = self.tokens
        start = tokens.start(len(nodes), Noise(0, torch.arange(len(nodes))))
        known = (nodes[:, :, 0] > 0) & valid
        state = replace(
            start,
            nodes=nodes,
            slots=slots,
            valid=valid,
            plane=1,
            known=known,
            fresh=~known & valid,
        )
        logits: Tensor = self.head(self.transformer(self.embed(state, 1)), state, 1).logits[..., 1]
        return logits * valid[:, :, None]


class Decoding(nn.Module):
    """Decoder: logits of nodes (b, n, T) and pairs (b, n, n, O + 1)."""

    def __init__(self, tokenizer: LatentTokenizer) -> None:
        super().__init__()
        self.decoder = tokenizer.decoder

    def forward(
        self, nodes: Tensor, adjacency: Tensor, valid: Tensor, slots: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits of latents (b, n, c), given slots (b, s, c)."""
        labels, pairs = self.decoder(nodes, slots, valid)
        both = valid[:, :, None] & valid[:, None]
        return labels * valid[:, :, None], pairs * both[..., None]


def checks(refiner: LatentRefiner, batch: GraphBatch, seed: int) -> list[Named]:
    """Part and check of each.

    Args:
        refiner: To check.
        batch: Graphs with its labels.
        seed: Of relabellings.
    """
    tokens, random = cast(LatentTokenizer, refiner.tokenizer), torch.Generator().manual_seed(seed)
    count, n = batch.valid.shape
    noise = torch.randn(count, n, n + 2, generator=random)  # relabellings add two nodes
    nodes = torch.randn(count, n, tokens.config.channels, generator=random)
    slots = torch.randn(count, tokens.config.slots, tokens.config.channels, generator=random)

    def encoding() -> Outcome:
        module = Encoding(tokens).eval()
        return assert_permutation_equivariant(module, batch, node_inputs=[noise], seed=seed)

    def latent(module: nn.Module) -> Outcome:
        given = nodes, (batch.edges > 0).float(), batch.valid
        return assert_permutation_equivariant(
            module.eval(), given, graph_inputs=[slots], seed=seed
        )

    return [
        ("frequencies, encoder", encoding),
        ("embedding, transformer, head", lambda: latent(Predicting(refiner))),
        ("decoder", lambda: latent(Decoding(tokens))),
    ]
