"""From hidden states of nodes to the labels of what is hidden."""

from torch import Tensor, nn

from graphs.generators.common.layers import PairLogits
from graphs.generators.common.valence import Support
from graphs.generators.masked.distribution import RevealDistribution
from graphs.generators.masked.embed import Pairs
from graphs.generators.masked.state import Partial
from graphs.generators.masked.tokenizer import MaskedTokenizer


class RevealHead(nn.Module):
    """Logits of nodes, and symmetric ones of pairs, from the states of both ends and their bond.

    Args:
        tokenizer: Says how much a scale reveals, and in which order.
        dim: Width d.
        reach: As of the embedding.
        support: Labels outside of it are drawn again; None allows all.
    """

    def __init__(
        self, tokenizer: MaskedTokenizer, dim: int, reach: int, support: Support | None = None
    ) -> None:
        super().__init__()
        labels, kinds = tokenizer.labels
        self.support = support
        self._tokens = (tokenizer,)  # in a tuple, for it is not a part
        self.node = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, labels))
        self.pairs = Pairs(kinds, reach)
        self.edge = PairLogits(dim, kinds + 1, self.pairs.count)

    def forward(
        self, hidden: Tensor, state: Partial, k: int, valid: Tensor | None = None
    ) -> RevealDistribution:
        """Distribution of the labels that scale k reveals."""
        (tokens,) = self._tokens
        return RevealDistribution(
            self.node(hidden),
            self.edge(hidden, self.pairs(state)),
            state,
            tokens.goal(state, k),
            tokens.order,
            self.support,
        )
