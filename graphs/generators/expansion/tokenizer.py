"""The expansion tokeniser: graphs as sequences of splits of a coarse graph.

Encoding contracts a graph to one cluster (`graphs.generators.common.coarsening`), and undoes that
from coarse to fine; each scale splits some clusters, and the number of scales follows from the
graph. A code says how many nodes the first child has, and which of the cluster's edges go to
either child, or to both.
Compare Bergmeister et al., "Efficient and scalable graph generation through iterative local
expansion" (arXiv 2312.11529), whose coarsening contracts edges too, and which decides all edges of
the children at once by diffusion.

The tree is latent: `code_log_prob` is a lower bound on the log-probability of the graph.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from graphs.data.batch import GraphBatch, Vocabulary
from graphs.generators.common.coarsening import Tree, contract
from graphs.generators.common.config import Matching
from graphs.generators.common.sizes import Sizes
from graphs.generators.common.streams import ExpansionStream, GraphStream
from graphs.generators.expansion.state import CLUSTER_DIGITS, CoarseGraph
from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.quantizers.base import Quantized
from refine_core.schedule import Scale, ScaleSchedule
from refine_core.tokenizer import Corrupt, Tokenizer, Trace


class ExpansionTokenizer(Tokenizer[GraphBatch, "Contracted", CoarseGraph]):
    """Plain graphs <-> splits.

    Args:
        vocabulary: Labels of nodes and edges, one each.
        sizes: Count of training graphs of size 0, 1, ...
        matching: What is contracted first, see `graphs.generators.common.coarsening.contract`.
        counted: Whether edges between clusters are counted.

    Raises:
        InputError: There are labels, or no training graph.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        sizes: tuple[int, ...],
        matching: Matching = "random",
        counted: bool = False,
    ) -> None:
        super().__init__()
        if len(vocabulary.nodes) > 1 or len(vocabulary.edges) > 1:
            raise InputError(
                f"Expansion is for graphs without labels, found {len(vocabulary.nodes)} of nodes "
                f"and {len(vocabulary.edges)} of edges: use `model.kind` contraction."
            )
        self.sizes, self.matching, self.counted = Sizes(sizes), matching, counted
        self.schedule = ScaleSchedule((Scale(),) * (self.sizes.largest + 1))

    def features(self, x: GraphBatch, noise: Noise | None = None) -> "Contracted":
        """A random contraction."""
        noise = noise or Noise(0, torch.arange(len(x), device=x.nodes.device))
        return self.encoded(x, noise, noise.uniform(ExpansionStream.COARSENING, x.nodes.shape[1]))

    def encoded(self, x: GraphBatch, noise: Noise, node_noise: Tensor) -> "Contracted":
        """The contraction that `node_noise` (b, n) in [0, 1) determines."""
        tree = contract(x, node_noise, self.matching)
        return Contracted(x.edges > 0, _ordered(tree, node_noise), noise)

    def start(self, count: int, noise: Noise | None = None) -> CoarseGraph:
        """One cluster of random size."""
        noise = noise or Noise(0, torch.arange(count, device=self.sizes.share.device))
        return self._whole(self.sizes.sample(noise, ExpansionStream.SIZE).sum(1), noise)

    def trace(self, features: "Contracted", corrupt: Corrupt | None = None) -> Trace[CoarseGraph]:
        """Undo a contraction."""
        tree = features.tree
        index = tree.root[:, None, None].expand(-1, 1, tree.members.shape[2])
        size = tree.members.gather(1, index).sum((1, 2))
        start = replace(self._whole(size, features.noise), tree=tree, node=tree.root[:, None])
        return self.unroll(start, lambda state, k: self.quantize(features, state, k), corrupt)

    def finished(self, state: CoarseGraph) -> bool:
        """Whether nothing is left to split."""
        return not bool(state.split.any())

    def quantize(self, features: "Contracted", state: CoarseGraph, k: int) -> Quantized:
        """The splits of the tree."""
        assert state.tree is not None and state.node is not None
        members, link = state.tree.members, features.joined.float()
        if not state.started:
            edges = (link.sum((1, 2)) / 2).round().long()
            return self.lookup(F.pad(edges[:, None, None], (1, CLUSTER_DIGITS)), k)
        wide = members.shape[2]

        def of(node: Tensor) -> Tensor:
            """(b, m, n) the graph's nodes that tree nodes (b, m) hold."""
            rows = members.gather(1, node.clamp(min=0)[:, :, None].expand(-1, -1, wide))
            return (rows & (node >= 0)[:, :, None]).float()

        pair = state.children(state.tree, state.node)
        first, second = (of(pair[:, :, side]) * state.split[:, :, None] for side in (0, 1))
        among = of(state.node).mT * state.valid[:, None]
        out = [child @ link @ among for child in (first, second)]
        own = [((child @ link) * child).sum(2, keepdim=True) / 2 for child in (first, second)]
        join = ((first @ link) * second).sum(2, keepdim=True)
        other = ~torch.eye(state.size.shape[1], dtype=torch.bool, device=link.device)
        code = torch.cat([first.sum(2, keepdim=True), *own, join, *(x * other for x in out)], 2)
        code = code.round().long()
        if not self.counted:
            code[:, :, 1:3] = 0
            code[:, :, 3:].clamp_(max=1)
        return self.lookup(code, k)

    def lookup(self, code: Tensor, k: int) -> Quantized:
        """A code is its own value."""
        return Quantized.known(code)

    def digits(self, k: int) -> int:
        """Digits of a cluster's code, at most."""
        return CLUSTER_DIGITS + 2 * self.sizes.largest

    def digit_values(self, k: int) -> int:
        """Values that suffice for every count."""
        return self.sizes.largest**2 // 2 + 2

    def add(self, state: CoarseGraph, value: Tensor, k: int) -> CoarseGraph:
        """Split, and choose what splits next."""
        return state.divided(value).chosen(k + 1)

    def finish(self, state: CoarseGraph) -> GraphBatch:
        """Graph of the clusters, in random order."""
        shuffle = state.noise.uniform(GraphStream.NODE_ORDER, state.size.shape[1])
        shuffle = shuffle.masked_fill(~state.valid, 2).argsort(1)
        found = GraphBatch(state.size * 0, (state.edges > 0).long(), state.valid)
        return found.permute(shuffle)

    def _whole(self, size: Tensor, noise: Noise) -> CoarseGraph:
        """One cluster of `size` (b,) nodes."""
        size = size[:, None]
        none = torch.zeros_like(size)
        whole = CoarseGraph(
            size, none, none[:, :, None], none > 0, noise, started=not self.counted
        )
        return whole.chosen(0)


@dataclass(frozen=True)
class Contracted:
    """Graphs and their contractions, as `trace` undoes them.

    Args:
        joined: (b, n, n) bool.
        tree: A contraction, in which the first child of each cluster is the larger.
        noise: Draws the tree and chooses the clusters that split.
    """

    joined: Tensor
    tree: Tree
    noise: Noise

    def __len__(self) -> int:
        """Count of graphs."""
        return len(self.joined)


def _ordered(tree: Tree, node_noise: Tensor) -> Tree:
    """With the larger child first; the noise of their nodes decides between equals."""
    tie_break = (tree.members.double() @ node_noise[:, :, None].double())[:, :, 0] * 7919 % 1
    size = tree.members.sum(2) + tie_break
    pair = size.gather(1, tree.children.clamp(min=0).flatten(1)).view_as(tree.children)
    swap = (pair[:, :, 0] < pair[:, :, 1])[:, :, None]
    return replace(tree, children=torch.where(swap, tree.children.flip(2), tree.children))
