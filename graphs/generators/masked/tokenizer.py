"""Masked diffusion as a tokeniser: each scale reveals some of the hidden elements.

An element of a graph is the label of a node or of a pair of nodes. The forward process hides one
element after the other, in random order, and does nothing else: absorbing discrete diffusion
(Austin et al., D3PM, arXiv 2107.03006) in its masked form (Sahoo et al., MDLM, arXiv 2406.07524).
K scales reveal equal counts. The size of a graph is drawn first, from the histogram of the
training graphs.
"""

import torch
from torch import Tensor

from graphs.data.batch import GraphBatch, Vocabulary
from graphs.generators.common.sizes import Sizes
from graphs.generators.common.streams import MaskedStream
from graphs.generators.masked.state import PartialGraphs, ranks, uniforms
from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.quantizers.base import Quantized
from refine_core.schedule import Scale, ScaleSchedule
from refine_core.tokenizer import Corrupt, Tokenizer, Trace

ALL = 10**9  # more elements than any graph has


class MaskedTokenizer(Tokenizer[GraphBatch, PartialGraphs, PartialGraphs]):
    """Graphs <-> labels in the order in which they are revealed.

    Args:
        vocabulary: Labels of nodes and edges.
        sizes: Count of training graphs of size 0, 1, ...
        calls: Scales K.

    Raises:
        InputError: There is no training graph, or no scale.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        sizes: tuple[int, ...],
        calls: int = 32,
    ) -> None:
        super().__init__()
        self.labels = len(vocabulary.nodes), len(vocabulary.edges)
        self.sizes = Sizes(sizes)
        self.set_calls(calls)

    def set_calls(self, calls: int) -> None:
        """Choose the number of scales.

        Raises:
            InputError: There is no scale.
        """
        if calls < 1:
            raise InputError(f"Found {calls} network calls, expected one at least.")
        self.schedule = ScaleSchedule((Scale(),) * calls)

    def features(self, x: GraphBatch, noise: Noise | None = None) -> PartialGraphs:
        """Graphs without hidden elements, in a random order."""
        noise = noise or Noise(0, torch.arange(len(x), device=x.nodes.device))
        n = x.nodes.shape[1]
        order = ranks(*uniforms(noise, MaskedStream.ORDER, n, max(n, self.sizes.largest)), x.valid)
        return PartialGraphs.of(
            x, order, torch.full_like(x.sizes, ALL), self.labels, self.sizes.largest
        )

    def start(self, count: int, noise: Noise | None = None) -> PartialGraphs:
        """Graphs of random size, whose elements are all hidden."""
        noise = noise or Noise(0, torch.arange(count, device=self.sizes.share.device))
        valid = self.sizes.sample(noise, MaskedStream.SIZE)
        n = valid.shape[1]
        order = ranks(*uniforms(noise, MaskedStream.ORDER, n, self.sizes.largest), valid)
        nothing = GraphBatch(valid.long() * 0, torch.zeros_like(order[1]), valid)
        return PartialGraphs.of(nothing, order, valid.sum(1) * 0, self.labels, self.sizes.largest)

    def goal(self, state: PartialGraphs, k: int) -> Tensor:
        """(b,) int64, elements known after scale k."""
        return state.elements * (k + 1) // len(self.schedule)

    def trace(
        self, features: PartialGraphs, corrupt: Corrupt | None = None
    ) -> Trace[PartialGraphs]:
        """Reveal a graph."""
        start = self.hidden(features, torch.zeros_like(features.elements))
        return self.unroll(start, lambda state, k: self.quantize(features, state, k), corrupt)

    def hidden(self, features: PartialGraphs, known: Tensor) -> PartialGraphs:
        """Graphs whose elements are hidden, except the first `known` (b,) of them."""
        graph = GraphBatch(features.nodes, features.edges, features.valid)
        return PartialGraphs.of(
            graph, (features.node_rank, features.edge_rank), known, self.labels, self.sizes.largest
        )

    def quantize(self, features: PartialGraphs, state: PartialGraphs, k: int) -> Quantized:
        """Labels that scale k reveals."""
        goal = self.goal(state, k)
        node = state.node_hidden & (state.node_rank < goal[:, None])
        edge = state.edge_hidden & (state.edge_rank < goal[:, None, None])
        nodes, edges = (features.nodes + 1) * node, (features.edges + 1) * edge
        return self.lookup(torch.cat([nodes[:, :, None], edges], 2), k)

    def lookup(self, code: Tensor, k: int) -> Quantized:
        """A code is its own value."""
        return Quantized.known(code)

    def digits(self, k: int) -> int:
        """Digits of a node's code: its own label, and one for each pair that it may be part of."""
        return 1 + self.sizes.largest

    def digit_values(self, k: int) -> int:
        """One value for no change, and one for each label."""
        return 1 + max(self.labels[0], self.labels[1] + 1)

    def add(self, state: PartialGraphs, value: Tensor, k: int) -> PartialGraphs:
        """Reveal."""
        return state.filled(value)

    def finish(self, state: PartialGraphs) -> GraphBatch:
        """Graphs; hidden nodes get the first label, hidden pairs no edge."""
        return GraphBatch(
            state.nodes.masked_fill(state.node_hidden, 0),
            state.edges.masked_fill(state.edge_hidden, 0),
            state.valid,
        )
