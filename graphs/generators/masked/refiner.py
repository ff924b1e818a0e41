"""Training of masked diffusion with one transformer call, and its likelihood with the size."""

import torch
from torch import Tensor

from graphs.data.batch import GraphBatch
from graphs.generators.common.refiner import GraphData
from graphs.generators.common.streams import MaskedStream
from graphs.generators.masked.state import PartialGraphs
from graphs.generators.masked.tokenizer import MaskedTokenizer
from refine_core.noise import Noise
from refine_core.refiner import Refiner

LIKELIHOOD_CALLS = 32


class MaskedRefiner(Refiner[GraphBatch, PartialGraphs, PartialGraphs, Tensor]):
    """A refiner whose number of scales is free: each scale reveals some of the elements."""

    tokenizer: MaskedTokenizer

    def forward(self, batch: GraphData, noise: Noise) -> dict[str, Tensor]:
        """Training losses of graphs `batch[0]`, each with a random count of hidden elements.

        "loss" is in nats a hidden element, all alike; "bits" weighs a graph of which a share t is
        hidden by 1 / t, which bounds those of a graph, given its size (MDLM, eq. 10).
        """
        tokens = self.tokenizer
        whole = tokens.features(batch[0], noise)
        count = whole.elements
        hidden = 1 + (noise.uniform(MaskedStream.HIDDEN) * count).long()
        state = tokens.hidden(whole, count - hidden)
        dist = self.distributions([state])[0]
        node, edge = (whole.nodes + 1) * state.node_hidden, (whole.edges + 1) * state.edge_hidden
        nats = -dist.log_prob(torch.cat([node[:, :, None], edge], 2))
        bits = (nats * count / hidden).detach().mean() / torch.log(torch.tensor(2.0))
        return {"loss": nats.sum() / hidden.sum(), "bits": bits, "count": hidden.sum()}

    def code_log_prob(
        self, x: GraphBatch, context: Tensor | None = None, noise: Noise | None = None
    ) -> Tensor:
        """Log-probability (b, K), in nats, of what each scale reveals, the first with the size.

        With K = `LIKELIHOOD_CALLS`, whatever number the last samples had.
        """
        tokens = self.tokenizer
        tokens.set_calls(LIKELIHOOD_CALLS)
        each = super().code_log_prob(x, context, noise)
        size = tokens.sizes.log_prob(x.sizes)
        return torch.cat([each[:, :1] + size[:, None], each[:, 1:]], 1)
