"""Training of masked diffusion with one transformer call, and its likelihood with the size."""

import torch
from torch import Tensor

from graphs.data.batch import GraphBatch
from graphs.generators.common.refiner import GraphData
from graphs.generators.common.streams import MaskedStream
from graphs.generators.masked.config import Weighting
from graphs.generators.masked.embed import PartialEmbed
from graphs.generators.masked.head import RevealHead
from graphs.generators.masked.state import PartialGraphs
from graphs.generators.masked.tokenizer import MaskedTokenizer
from refine_core.noise import Noise
from refine_core.refiner import Refiner
from refine_core.transformer import Transformer

LIKELIHOOD_CALLS = 32


class MaskedRefiner(Refiner[GraphBatch, PartialGraphs, PartialGraphs, Tensor]):
    """A refiner whose number of scales is free: each scale reveals some of the elements.

    Args:
        tokenizer: As of `Refiner`, like `embed`, `transformer` and `head`.
        embed: See `Refiner`.
        transformer: See `Refiner`.
        head: See `Refiner`.
        weighting: Weight of the loss of a graph of which a share t is hidden. "bound": 1 / t,
            which makes it the bound on the likelihood (MDLM, eq. 10); "plain": 1 for every hidden
            element.
    """

    tokenizer: MaskedTokenizer

    def __init__(
        self,
        tokenizer: MaskedTokenizer,
        embed: PartialEmbed,
        transformer: Transformer,
        head: RevealHead,
        *,
        weighting: Weighting,
    ) -> None:
        super().__init__(tokenizer, embed, transformer, head)
        self.weighting = weighting

    def forward(self, batch: GraphData, noise: Noise) -> dict[str, Tensor]:
        """Training losses of graphs `batch[0]`, each with a random count of hidden elements.

        "loss" is in nats an element; "bits" a bound on those of a graph, given its size.
        """
        tokens = self.tokenizer
        whole = tokens.features(batch[0], noise)
        count = whole.elements
        hidden = 1 + (noise.uniform(MaskedStream.HIDDEN) * count).long()
        state = tokens.hidden(whole, count - hidden)
        dist = self.distributions([state])[0]
        node, edge = (whole.nodes + 1) * state.node_hidden, (whole.edges + 1) * state.edge_hidden
        nats = -dist.log_prob(torch.cat([node[:, :, None], edge], 2))
        bound = nats * count / hidden
        total, terms = (bound, count) if self.weighting == "bound" else (nats, hidden)
        bits = bound.detach().mean() / torch.log(torch.tensor(2.0))
        return {"loss": total.sum() / terms.sum(), "bits": bits, "count": terms.sum()}

    def code_log_prob(
        self, x: GraphBatch, context: Tensor | None = None, noise: Noise | None = None
    ) -> Tensor:
        """Log-probability (b, K), in nats, of what each scale reveals, the first with the size.

        With K = `LIKELIHOOD_CALLS`, whatever number the last samples had.
        """
        tokens = self.tokenizer
        tokens.set_calls(LIKELIHOOD_CALLS, "random")
        each = super().code_log_prob(x, context, noise)
        size = tokens.sizes.log_prob(x.sizes)
        return torch.cat([each[:, :1] + size[:, None], each[:, 1:]], 1)
