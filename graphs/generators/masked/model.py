"""Masked diffusion as a refiner: one transformer call for all scales in training."""

from typing import Any

import torch
from torch import Tensor

from graphs.config import ModelConfig
from graphs.data.batch import Vocabulary
from graphs.generators.common.layers import set_transformer
from graphs.generators.common.refiner import GraphData, GraphRefiner
from graphs.generators.common.valence import Support
from graphs.generators.masked.embed import PartialEmbed
from graphs.generators.masked.head import RevealHead
from graphs.generators.masked.tokenizer import MaskedTokenizer
from refine_core.noise import Noise

JUDGED = 32  # scales


class MaskedRefiner(GraphRefiner):
    """A refiner of which the number of scales is free, for each element is hidden or it is not.

    Args:
        parts: As of `Refiner`.
        weighting: Of the loss of a graph with a share t hidden. "bound": 1 / t, which makes it the
            bound on the likelihood (MDLM, eq. 10); "plain": alike for all hidden elements.
    """

    def __init__(self, *parts: Any, weighting: str) -> None:
        super().__init__(*parts)
        self.weighting = weighting

    def forward(self, batch: GraphData, noise: Noise) -> dict[str, Tensor]:
        """Training losses of graphs `batch[0]`, each with a random count of elements hidden.

        "loss" is in nats an element; "bits" a bound on a graph's, its size given.
        """
        tokens: MaskedTokenizer = self.tokenizer  # type: ignore[assignment]
        whole = tokens.features(batch[0], noise)
        count = whole.elements
        hidden = 1 + (noise.uniform(-4) * count).long()
        state = tokens.hidden(whole, count - hidden)
        dist = self.distributions([state])[0]
        node, edge = (whole.nodes + 1) * state.node_hidden, (whole.edges + 1) * state.edge_hidden
        nats = -dist.log_prob(torch.cat([node[:, :, None], edge], 2))
        bound = nats * count / hidden
        total, terms = (bound, count) if self.weighting == "bound" else (nats, hidden)
        bits = bound.detach().mean() / torch.log(torch.tensor(2.0))
        return {"loss": total.sum() / terms.sum(), "bits": bits, "count": terms.sum()}

    def code_log_prob(self, x: Any, context: Any = None, noise: Noise | None = None) -> Tensor:
        """Log-probability (b, K), in nats, of what each scale reveals, the first with the size.

        Of `JUDGED` scales, whatever `sample` was asked for.
        """
        tokens: MaskedTokenizer = self.tokenizer  # type: ignore[assignment]
        tokens.ask(JUDGED, "random")
        each = super().code_log_prob(x, context, noise)
        size = tokens.sizes.log_prob(x.sizes)
        return torch.cat([each[:, :1] + size[:, None], each[:, 1:]], 1)


def build(
    config: ModelConfig, vocabulary: Vocabulary, sizes: tuple[int, ...], support: Support | None
) -> MaskedRefiner:
    """Masked diffusion of graphs.

    Args:
        config: Sizes.
        vocabulary: Labels.
        sizes: Count of training graphs of size 0, 1, ...
        support: What labels may be drawn; None allows all.
    """
    tokens = MaskedTokenizer(vocabulary, sizes)
    transformer = set_transformer(config, levels=2)
    embed = PartialEmbed(config.dim, config.heads, tokens.labels, config.reach, support)
    head = RevealHead(tokens, config.dim, config.reach, support)
    return MaskedRefiner(tokens, embed, transformer, head, weighting=config.weighting)
