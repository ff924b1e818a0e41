"""From hidden states of nodes to the labels of hidden elements."""

from torch import Tensor, nn

from graphs.generators.common.layers import PairLogits
from graphs.generators.common.valence import ValenceLimits
from graphs.generators.masked.distribution import RevealDistribution
from graphs.generators.masked.embed import PairRelations
from graphs.generators.masked.state import PartialGraphs
from graphs.generators.masked.tokenizer import MaskedTokenizer


class RevealHead(nn.Module):
    """Logits of nodes, and symmetric ones of pairs, from the states of both nodes.

    Args:
        tokenizer: Gives the count of elements that a scale reveals.
        dim: Width d.
        reach: As of the embedding.
        valence_limits: Labels that exceed them are drawn again; None allows all.
    """

    def __init__(
        self,
        tokenizer: MaskedTokenizer,
        dim: int,
        reach: int,
        valence_limits: ValenceLimits | None = None,
    ) -> None:
        super().__init__()
        labels, kinds = tokenizer.labels
        self.valence_limits = valence_limits
        self._tokens = (tokenizer,)  # in a tuple, so that it is no submodule
        self.node = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, labels))
        self.pairs = PairRelations(kinds, reach)
        self.edge = PairLogits(dim, kinds + 1, self.pairs.count)

    def forward(
        self, hidden: Tensor, state: PartialGraphs, k: int, valid: Tensor | None = None
    ) -> RevealDistribution:
        """Distribution of the labels that scale k reveals."""
        (tokens,) = self._tokens
        return RevealDistribution(
            self.node(hidden),
            self.edge(hidden, self.pairs(state)),
            state,
            tokens.goal(state, k),
            self.valence_limits,
        )
