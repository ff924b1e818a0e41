"""From hidden states to the distribution of splits.

The numbers of one cluster's code depend on each other, so they are drawn one after the other by a
small network behind the transformer (as RQ-Transformer draws the digits of a residual code, Lee
et al., arXiv 2203.01941), within the bounds of `bounds`. The half-edges that stay with the first
child are then a random subset of the size drawn (`conditional_bernoulli`).
"""

from torch import Tensor, nn

from graphs.generators.common.steady import by_rows
from graphs.generators.common.valence import ValenceLimits
from graphs.generators.contraction.split.distribution import SplitDistribution
from graphs.generators.contraction.split.numbers import NumberNet
from graphs.generators.contraction.state.partition import Partition


class SplitHead(nn.Module):
    """Hidden states of clusters and edges to a `SplitDistribution`.

    Args:
        dim: Width d.
        labels: Node labels T.
        edge_labels: Edge labels O.
        values: Values of a number.
        connected: Whether all graphs are.
        valence_limits: Splits that exceed them are drawn again; None allows all.
        kinds: Count of edge labels where edges are no tokens; else None.
    """

    def __init__(
        self,
        dim: int,
        labels: int,
        edge_labels: int,
        values: int,
        connected: bool,
        valence_limits: ValenceLimits | None = None,
        kinds: int | None = None,
    ) -> None:
        super().__init__()
        self.valence_limits = valence_limits
        self.label = None if kinds is None else nn.Embedding(kinds, dim)
        self.connected = connected
        self.labels = labels
        self.numbers = NumberNet(dim, labels + 3 * edge_labels, values)
        self.edge = nn.Linear(dim, dim)
        self.owner = nn.Linear(dim, dim, bias=False)
        self.stay = nn.Sequential(nn.GELU(), nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, 1))

    def forward(self, hidden: Tensor, state: Partition) -> SplitDistribution:
        """Law of the splits of a state from hidden states (b, m + e, d) of clusters and edges."""
        return SplitDistribution(self, state, ((1.0, self, hidden),))

    def edge_states(self, edge: Tensor, label: Tensor) -> Tensor:
        """(t, d) states of half-edges, from those of their edges and their labels (t,)."""
        return edge if self.label is None else edge + self.label(label)

    def stay_logits(self, cluster: Tensor, edge: Tensor, memory: Tensor) -> Tensor:
        """(t,) logits that a half-edge stays with the first child.

        Args:
            cluster: (t, d) hidden states of its cluster.
            edge: (t, d) its own states.
            memory: (t, d) of the numbers of the cluster's split.
        """
        known = by_rows(self.edge, edge) + by_rows(self.owner, cluster) + memory
        return by_rows(self.stay, known)[:, 0]
