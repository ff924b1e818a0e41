"""The law of what a graph consists of: how many nodes of each label, how many edges of each.

    p(n, e) = prod_s p(label_s | before) p(count_s | label_s, before) . prod_o p(e_o | n, e_<o)

over the labels that occur, in the order of the vocabulary, and an end. A small causal transformer
reads what came before, so that the law can hold which fragments go together: drawn from a weaker
law, the composition is the largest single loss of molecules that are drawn in few calls.

Counts that exceed valence limits, or that add up to more nodes than the largest graph of training
has, are drawn again. Samples follow p given the set A of other counts, p / p(A), so log p is a
lower bound on their log-probability; of larger graphs it is minus infinity.
"""

from dataclasses import dataclass, replace
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphs.generators.common.mixed_law import MixedLaw
from graphs.generators.common.sizes import SizeLimit
from graphs.generators.common.steady import by_rows
from graphs.generators.common.valence import ValenceLimits
from graphs.generators.contraction.counts.sampling import additive, ahead_of, sample
from graphs.generators.contraction.split.bounds import INNER, Budget
from graphs.generators.contraction.split.distribution import ATTEMPTS
from graphs.generators.contraction.split.law import bounded
from graphs.generators.contraction.state.partition import Partition, letters_first
from graphs.generators.contraction.state.valence import violated
from refine_core.heads.causal import CausalBlock
from refine_core.noise import Noise

Past = list[tuple[Tensor, Tensor] | None]


class CountHead(nn.Module):
    """A causal transformer over pairs of a label and its count.

    Args:
        dim: Width of the hidden states.
        labels: Node labels T.
        kinds: Edge labels O.
        values: Values of a count.
        connected: Whether all graphs are.
        valence_limits: Counts that exceed them are drawn again; None allows all.
        size_limit: Counts that exceed it are drawn again, too; None allows all.
        width: Width w of the transformer.
        depth: Its blocks.
    """

    def __init__(
        self,
        dim: int,
        labels: int,
        kinds: int,
        values: int,
        connected: bool,
        valence_limits: ValenceLimits | None = None,
        size_limit: SizeLimit | None = None,
        *,
        width: int = 128,
        depth: int = 2,
    ) -> None:
        super().__init__()
        self.labels, self.kinds, self.values, self.connected = labels, kinds, values, connected
        self.valence_limits, self.size_limit = valence_limits, size_limit
        self.enter = nn.Linear(dim, width)
        self.label = nn.Embedding(labels + 1 + kinds, width)
        self.count = nn.Parameter(0.5 * torch.randn(values, width))
        nn.init.normal_(self.label.weight, std=0.5)
        self.blocks = nn.ModuleList(CausalBlock(width, 4) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.next = nn.Linear(width, labels + 1)
        self.ask = nn.Embedding(labels + 1 + kinds, width)
        self.number = nn.Sequential(nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.out = nn.Linear(width, values)
        self.bias = nn.Parameter(torch.zeros(labels + 1 + kinds, values))

    def forward(self, hidden: Tensor, state: Partition) -> "CountDistribution":
        """Law of the counts of graphs from hidden states (b, 1, d)."""
        return CountDistribution(self, state, ((1.0, self, hidden[:, 0]),))

    def read(self, hidden: Tensor, label: Tensor, count: Tensor, real: Tensor) -> Tensor:
        """(b, s, w) what is known before each of s steps, of labels and counts (b, s) in order.

        Later steps do not see those that are not `real` (b, s).
        """
        x = self.enter(hidden)[:, None] + F.pad(self._pairs(label, count), (0, 0, 1, 0))[:, :-1]
        steps = x.shape[1]
        causal = torch.ones(steps, steps, dtype=torch.bool, device=x.device).tril()
        itself = torch.eye(steps, dtype=torch.bool, device=x.device)
        mask = additive((causal & real[:, None]) | itself)[:, None]
        for block in self.blocks:
            x = block(x, mask)
        return cast(Tensor, self.norm(x))

    def step(
        self, hidden: Tensor, before: tuple[Tensor, Tensor] | None, past: Past, mask: Tensor
    ) -> Tensor:
        """(b, w) what is known before the next step, given the pair before it; extends `past`.

        `mask` (b, steps so far) is additive, and hides steps that are not real.
        """
        x = self.enter(hidden)
        if before is not None:
            x = x + self._pairs(*before)
        x, mask = x[:, None], mask[:, None, None].to(x.dtype)
        for number, block in enumerate(self.blocks):
            x, past[number] = cast(CausalBlock, block).step(x, past[number], mask)
        return cast(Tensor, self.norm(x[:, 0]))

    def next_logits(self, known: Tensor) -> Tensor:
        """(..., T + 1) logits of the next label, of which the last is the end."""
        return by_rows(self.next, known)

    def count_logits(self, known: Tensor, label: Tensor) -> Tensor:
        """(..., values) logits of the count of a label (...)."""
        made: Tensor = self.out(self.number(known + self.ask(label))) + self.bias[label]
        return made

    def _pairs(self, label: Tensor, count: Tensor) -> Tensor:
        return F.gelu(self.label(label) + self.count[count.clamp(max=self.values - 1)])


@dataclass(frozen=True)
class CountDistribution(MixedLaw[CountHead, Partition]):
    """Law of the first code of contractions, (b, 1, g): the counts of a graph.

    States are those before the first scale, hidden states (b, d).
    """

    @property
    def valid(self) -> Tensor:
        """(b, 1), all True."""
        return self.state.valid

    def token_log_prob(self, code: Tensor) -> Tensor:
        """Log-probability (b, 1) of codes (b, 1, g) before any is drawn again.

        It is minus infinity of counts that are not known, and of more nodes than `size_limit`.
        """
        head, counts = self.head, code[:, 0]
        nodes, edges = counts[:, : head.labels], counts[:, head.labels :][:, : head.kinds]
        label, count = _pairs(nodes, head.labels)
        rest = torch.arange(head.kinds, device=code.device) + head.labels + 1
        labels = torch.cat([label, rest.expand(len(label), -1)], 1)
        number = torch.cat([count, edges], 1)
        steps = label.shape[1]
        after = torch.cat([label.new_full((len(label), 1), -1), label[:, :-1]], 1)
        real = torch.cat([after != head.labels, torch.ones_like(edges).bool()], 1)
        known = [each.read(h, labels, number, real) for _, each, h in self.hidden]
        going = after < head.labels
        seen = [x[:, :steps][going] for x in known]
        which = self.weighted(lambda each, x: each.next_logits(x), seen)
        which = ahead_of(which, after[going])
        nats = torch.zeros(label.shape, device=code.device)
        nats[going] = F.cross_entropy(which, label[going], reduction="none")
        low, high = Budget.of(self.state, head.connected).bounds(counts, INNER)
        high = torch.cat([self._most(label), high.maximum(low)], 1)
        low = torch.cat([torch.ones_like(label), low], 1)
        much = bounded(
            self.weighted(lambda each, x: each.count_logits(x, labels), known), low, high
        )
        certain = labels == head.labels
        numbers = number.clamp(max=head.values - 1)
        each = F.cross_entropy(much.flatten(0, 1), numbers.flatten(), reduction="none")
        each = torch.where(certain, 0, each.view_as(number))
        wrong = ((number < low) | (number > high)) & (labels != head.labels)
        total = -(nats.sum(1) + each.sum(1))
        return total[:, None].masked_fill(wrong.any(1)[:, None] | self.oversized(code), -torch.inf)

    def log_prob(self, code: Tensor) -> Tensor:
        """Log-probability (b,) of codes, in nats."""
        return self.token_log_prob(code)[:, 0]

    def sample(self, noise: Noise) -> Tensor:
        """Codes (b, 1, g); those that exceed limits are drawn again, as splits are.

        After `ATTEMPTS` they are let pass.
        """
        code, limits = sample(self, noise)[0], self.head.valence_limits
        for attempt in range(1, ATTEMPTS):
            wrong = self.oversized(code)
            if limits is not None:
                wrong = wrong | violated(limits, self.state, code)
            if not bool(wrong.any()):
                break
            at = wrong[:, 0].nonzero()[:, 0]
            code[at] = sample(self._rows(at), noise.rows(at).fork(attempt))[0]
        return code

    def _rows(self, at: Tensor) -> "CountDistribution":
        """The law of the graphs at rows `at` (r,)."""
        hidden = tuple((weight, head, h[at]) for weight, head, h in self.hidden)
        return replace(self, state=self.state.rows(at), hidden=hidden)

    def oversized(self, code: Tensor) -> Tensor:
        """(b, 1) bool, codes (b, 1, g) of more nodes than the largest graph has."""
        limit = self.head.size_limit
        if limit is None:
            return torch.zeros_like(code[..., 0]).bool()
        return limit.exceeded(code[..., : self.head.labels])

    def _most(self, label: Tensor) -> Tensor:
        """(b, s) the largest count of labels (b, s); that of an end is of no importance."""
        end = self.head.labels
        most = self.state.nodes[:, 0].gather(1, label.clamp(max=end - 1))
        return torch.where(label == end, 1, most)


def _pairs(nodes: Tensor, end: int) -> tuple[Tensor, Tensor]:
    """Labels that occur and their counts, (b, s) in order; then the label `end`, of count 0."""
    order = letters_first(nodes)
    order, present = F.pad(order, (0, 1)), F.pad(nodes.gather(1, order) > 0, (0, 1))
    count = torch.where(present, nodes.gather(1, order), 0)
    return torch.where(present, order, end), count
