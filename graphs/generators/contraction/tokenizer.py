"""The contraction tokeniser: graphs as sequences of splits, from one cluster down to nodes.

Encoding draws a contraction tree (`graphs.generators.common.coarsening`) and descends from its
root; each scale splits some clusters (`graphs.generators.common.parallel.choose`), so the number
of scales follows from the graph. The codes of a scale are, for each cluster, the sums of its first
child (`graphs.generators.contraction.split.bounds`), and for each half-edge between clusters,
whether it goes to the second child. The tree is latent: `code_log_prob` is a lower bound on the
log-probability of the graph, in expectation over trees.
"""

from dataclasses import replace

import torch
from torch import Tensor

from graphs.data.arcs import OUT
from graphs.data.batch import GraphBatch, Vocabulary
from graphs.data.fragments import FragmentTables
from graphs.generators.common.config import Matching
from graphs.generators.common.parallel import choose
from graphs.generators.common.streams import ContractionStream, GraphStream
from graphs.generators.contraction.encoding import EncodedGraphs, encode
from graphs.generators.contraction.state.division import divide
from graphs.generators.contraction.state.partition import Partition
from refine_core.noise import Noise
from refine_core.quantizers.base import Quantized
from refine_core.sampling.rows import mapped
from refine_core.schedule import Scale, ScaleSchedule
from refine_core.tokenizer import Corrupt, Tokenizer, Trace


class ContractionTokenizer(Tokenizer[GraphBatch, EncodedGraphs, Partition]):
    """Graphs <-> splits.

    Args:
        vocabulary: Labels of nodes and edges.
        max_counts: Largest count of nodes of each label, then of edges of each label, in a graph.
        connected: Whether all graphs are.
        matching: What is contracted first, see `graphs.generators.common.coarsening.contract`.
        fragments: Of node labels, where these are fragments: then a last scale says at which of
            their atoms edges end.
        acyclic: Whether all graphs are directed and acyclic. Then two clusters are contracted only
            if none becomes part of a cycle, and arcs between children go from the first to the
            second. So no sample has a cycle, as one would have had to be there before the last
            split that is on it, or lie between its two children.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        max_counts: tuple[int, ...],
        connected: bool = True,
        matching: Matching = "random",
        fragments: FragmentTables | None = None,
        acyclic: bool = False,
    ) -> None:
        super().__init__()
        self.limit: Tensor
        self.vocabulary, self.acyclic = vocabulary, acyclic
        if acyclic:  # every arc inside a cluster is once between two children
            names = (*vocabulary.nodes, *vocabulary.edges)
            places = range(len(vocabulary.nodes), len(names))
            never = {i for i in places if not names[i].startswith(OUT)}
            max_counts = tuple(0 if i in never else most for i, most in enumerate(max_counts))
        self.max_counts = max_counts
        self.connected, self.matching = connected, matching
        self.labels, self.kinds = len(vocabulary.nodes), len(vocabulary.edges)
        self.reverse: Tensor | None
        self.register_buffer("reverse", vocabulary.reverse, persistent=False)
        self.fragments = fragments
        self.outward: Tensor | None
        self.register_buffer("outward", vocabulary.outward if acyclic else None, persistent=False)
        scales = sum(max_counts[: self.labels]) + 1 + (fragments is not None)
        self.schedule = ScaleSchedule((Scale(),) * scales)
        self.register_buffer("limit", torch.tensor(max_counts), persistent=False)

    def features(self, x: GraphBatch, noise: Noise | None = None) -> EncodedGraphs:
        """The codes of the splits of a random contraction tree."""
        noise = noise or Noise(0, torch.arange(len(x), device=x.nodes.device))
        return self.encoded(
            x, noise, noise.uniform(ContractionStream.COARSENING, x.nodes.shape[1])
        )

    def encoded(self, x: GraphBatch, noise: Noise, node_noise: Tensor) -> EncodedGraphs:
        """The codes of the splits of the tree that `node_noise` (b, n) in [0, 1) determines.

        They are made on the CPU whatever the device: in many small steps, of most of which the
        host has to know a size, and some in double precision.
        """
        reverse, outward = mapped((self.reverse, self.outward), Tensor.cpu)
        made = encode(
            x.to("cpu"),
            Noise(noise.seed, noise.index.cpu()),
            node_noise.cpu(),
            self.labels,
            self.kinds,
            self.matching,
            reverse,
            self.fragments,
            outward,
        )
        return EncodedGraphs([code.to(noise.index.device) for code in made.codes], noise)

    def start(self, count: int, noise: Noise | None = None) -> Partition:
        """One cluster, of which only the largest counts are known."""
        device = self.limit.device
        noise = noise or Noise(0, torch.arange(count, device=device))
        nodes, inner = self.limit.expand(count, 1, -1).split([self.labels, self.kinds], 2)
        one = torch.ones(count, 1, dtype=torch.bool, device=device)
        none = torch.zeros(count, 0, dtype=torch.int64, device=device)
        ends = none[:, :, None].expand(count, 0, 2)
        edges = (ends, none, none.bool())
        return Partition(
            nodes, inner, one, *edges, one, noise, False, self.reverse, acyclic=self.acyclic
        )

    def trace(self, features: EncodedGraphs, corrupt: Corrupt | None = None) -> Trace[Partition]:
        """Replay the splits."""
        start = self.start(len(features), features.noise)
        return self.unroll(start, lambda state, k: self.quantize(features, state, k), corrupt)

    def finished(self, state: Partition) -> bool:
        """Whether nothing is left to split."""
        return not bool(state.split.any()) and not state.attaching

    def quantize(self, features: EncodedGraphs, state: Partition, k: int) -> Quantized:
        """The code of scale k."""
        return self.lookup(features.codes[k], k)

    def lookup(self, code: Tensor, k: int) -> Quantized:
        """A code is its own value."""
        return Quantized.known(code)

    def digits(self, k: int) -> int:
        """Numbers in a cluster's code."""
        return self.labels + 3 * self.kinds

    def digit_values(self, k: int) -> int:
        """Values that suffice for every count."""
        return max(self.max_counts) + 1

    def add(self, state: Partition, value: Tensor, k: int) -> Partition:
        """Split, and choose the clusters that split next; in the end, say where edges are."""
        if state.attaching:
            return replace(state, sites=value[:, state.valid.shape[1] :, :2], attaching=False)
        after = divide(state, value)
        sizes = after.sizes * after.valid
        uniform = after.noise.uniform(k + 1, sizes.shape[1])
        split = choose(sizes, after.joined, uniform)
        attaching = self.fragments is not None and not bool(split.any())
        return replace(after, split=split, attaching=attaching)

    def finish(self, state: Partition) -> GraphBatch:
        """Graph of the clusters, each with its most frequent label, in random order.

        Before the last scale this is a coarse graph, of one edge between two clusters.
        """
        count, m = state.valid.shape
        edges = torch.zeros(count, m, m, dtype=torch.int64, device=state.valid.device)
        b, e = torch.nonzero(state.real, as_tuple=True)
        i, j = state.ends[b, e].unbind(1)
        label = state.label_at[b, e] + 1
        edges[b, i, j], edges[b, j, i] = label.unbind(1)
        sites = None
        if self.fragments is not None:
            sites = torch.zeros_like(edges)
        if sites is not None and state.sites is not None:
            sites[b, i, j], sites[b, j, i] = state.sites[b, e].unbind(1)
        found = GraphBatch(state.labels * state.valid, edges, state.valid, sites)
        # Clusters are numbered by the order of their splits, which depends on their size.
        shuffle = (
            state.noise.uniform(GraphStream.NODE_ORDER, m).masked_fill(~state.valid, 2).argsort(1)
        )
        return found.permute(shuffle)
