# mypy: ignore-errors
"""The refiner of the latent pyramid: a set transformer over slots and nodes."""

from typing import Any, cast

import torch
from torch import Tensor, nn

from graphs.config import ModelConfig
from graphs.data.batch import Vocabulary
from graphs.generators.common.layers import set_transformer
from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.common.valence import Support
from graphs.generators.latent.state import Latents
from graphs.generators.latent.tokenizer import LatentTokenizer
from refine_core.data import Batch
from refine_core.embed import Embed
from refine_core.head import BitwiseHead, CodeDistribution
from refine_core.noise import Noise
from refine_core.tokens import Tokens


class LatentEmbed(Embed):
    """Slots, which have names, and nodes, which have none, as tokens; the size is the condition.

    Args:
        tokenizer: Of the latents.
        dim: Width of the tokens.
    """

    def __init__(self, tokenizer: LatentTokenizer, dim: int) -> None:
        super().__init__()
        config = tokenizer.config
        self.name = nn.Parameter(0.02 * torch.randn(config.slots, dim))
        self.slot = nn.Linear(config.channels, dim)
        self.node = nn.Linear(config.channels, dim)
        self.known = nn.Embedding(2, dim)
        self.size = nn.Embedding(tokenizer.sizes.largest + 1, dim)

    def forward(self, state: Latents, k: int, context: None = None) -> Tokens:
        """Tokens (b, s + n, d)."""
        slots = self.slot(state.slots) + self.name
        nodes = self.node(state.nodes) + self.known(state.known.long())
        value = torch.cat([slots, nodes], 1)
        valid = torch.cat([state.valid.new_ones(slots.shape[:2]), state.valid], 1)
        level = torch.full((value.shape[1],), state.plane + 1, device=value.device)
        size = state.valid.sum(1).clamp(max=self.size.num_embeddings - 1)
        return Tokens(value, level, valid, condition=self.size(size))

    def context(self, context: None, count: int) -> Tokens:
        """Nothing."""
        level = torch.zeros(0, dtype=torch.int64, device=self.name.device)
        return Tokens(self.name.new_zeros(count, 0, self.name.shape[1]), level)

    def drop(self, context: None, where: Tensor) -> None:
        """There is no context."""


class LatentHead(nn.Module):
    """Bits of the slots, or of the nodes that a scale reveals.

    Args:
        tokenizer: Of the latents.
        dim: Width of the hidden states.
    """

    def __init__(self, tokenizer: LatentTokenizer, dim: int) -> None:
        super().__init__()
        config = tokenizer.config
        self.slots = config.slots
        self.bits = BitwiseHead(dim, config.channels, config.planes + 1)

    def forward(
        self, hidden: Tensor, state: Latents, k: int, valid: Tensor | None = None
    ) -> CodeDistribution:
        """Distribution of the code of a scale."""
        if state.plane:
            return self.bits(hidden[:, self.slots :], state, state.plane, state.fresh)  # type: ignore[no-any-return]
        return self.bits(hidden[:, : self.slots], state, 0)  # type: ignore[no-any-return]


class LatentRefiner(GraphRefiner):
    """A refiner that learns from one random part of each plane."""

    def forward(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        """Training losses of graphs `batch[0]`; each plane's rest is predicted from its start.

        "loss" is in nats a bit, "bits" those of a graph if every plane came at once.
        """
        tokens = cast(LatentTokenizer, self.tokenizer)
        tokens.halve()
        with torch.no_grad():
            corrupt = self._corruption(noise) if self.corruption else None
            trace = tokens.trace(tokens.features(batch[0], noise), corrupt)
        seconds = [k for k, (_, part, parts) in enumerate(tokens.plan) if part == parts]
        states = [trace.states[k] for k in seconds]
        loss, count, bits = torch.zeros(()), torch.zeros(()), torch.zeros(())
        for dist, k in zip(self.distributions(states), seconds, strict=True):
            code, valid = trace.codes[k], trace.states[k].valid
            shown = code.new_ones(code.shape[:2]).bool() if dist.valid is None else dist.valid
            nats, left = -dist.log_prob(code), shown.sum(1)
            whole = shown.shape[1] if dist.valid is None else valid.sum(1)
            loss, count = loss + nats.sum(), count + left.sum() * code.shape[2]
            bits = bits + (nats.detach() * whole / left).mean() / torch.log(torch.tensor(2.0))
        return {"loss": loss / count, "bits": bits}

    def code_log_prob(self, x: Any, context: Any = None, noise: Noise | None = None) -> Tensor:
        """Log-probability (b, K), in nats, of each scale's bits, the first with the size.

        Of planes in two parts each, whatever `sample` was asked for.
        """
        tokens = cast(LatentTokenizer, self.tokenizer)
        tokens.halve()
        each = super().code_log_prob(x, context, noise)
        size = tokens.sizes.log_prob(x.sizes)
        return torch.cat([each[:, :1] + size[:, None], each[:, 1:]], 1)


def build(
    config: ModelConfig, vocabulary: Vocabulary, sizes: tuple[int, ...], support: Support | None
) -> LatentRefiner:
    """Refiner over the latent pyramid; its tokeniser is to be trained first.

    Args:
        config: Sizes.
        vocabulary: Labels.
        sizes: Count of training graphs of size 0, 1, ...
        support: Not used: what a latent decodes to is not known while it is drawn.
    """
    tokens = LatentTokenizer(config.latent, vocabulary, sizes)
    transformer = set_transformer(config, levels=config.latent.planes + 2)
    return LatentRefiner(
        tokens,
        LatentEmbed(tokens, config.dim),
        transformer,
        LatentHead(tokens, config.dim),
        corruption=config.latent.corruption,
    )
