"""Training of masked diffusion with one transformer call, and its likelihood with the size."""

from typing import Any

import torch
from torch import Tensor

from graphs.generators.common.refiner import GraphData, GraphRefiner
from graphs.generators.masked.config import Weighting
from graphs.generators.masked.tokenizer import MaskedTokenizer
from refine_core.noise import Noise

LIKELIHOOD_CALLS = 32


class MaskedRefiner(GraphRefiner):
    """A refiner whose number of scales is free: each scale reveals some of the elements.

    Args:
        parts: As of `Refiner`.
        weighting: Weight of the loss of a graph of which a share t is hidden. "bound": 1 / t,
            which makes it the bound on the likelihood (MDLM, eq. 10); "plain": 1 for every hidden
            element.
    """

    def __init__(self, *parts: Any, weighting: Weighting) -> None:
        super().__init__(*parts)
        self.weighting = weighting

    def forward(self, batch: GraphData, noise: Noise) -> dict[str, Tensor]:
        """Training losses of graphs `batch[0]`, each with a random count of hidden elements.

        "loss" is in nats an element; "bits" a bound on those of a graph, given its size.
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

        With K = `LIKELIHOOD_CALLS`, whatever number the last samples had.
        """
        tokens: MaskedTokenizer = self.tokenizer  # type: ignore[assignment]
        tokens.set_calls(LIKELIHOOD_CALLS, "random")
        each = super().code_log_prob(x, context, noise)
        size = tokens.sizes.log_prob(x.sizes)
        return torch.cat([each[:, :1] + size[:, None], each[:, 1:]], 1)
