"""From hidden states of nodes to the sites of the ends of their edges.

The ends at one node come one after the other; a bilinear form of what is known of an end and of a
site gives the logits, within what the sites can still take:

    p(s_1, ..., s_D) = prod_j softmax_s( q_j(h, h_j, s_<j) . c(s, s_<j) )

Of sequences that a symmetry of the fragment makes alike only the least is drawn, so that which of
the six alike atoms of a benzene ring is meant is never asked.
"""

from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphs.data.fragments import FragmentTables, canonical, fixing, least_images, least_turn
from graphs.generators.common.mixed_law import MixedLaw
from graphs.generators.common.steady import by_rows
from graphs.generators.common.streams import ContractionStream
from graphs.generators.contraction.attachment.ends import Attachments
from graphs.generators.contraction.state.partition import Partition
from refine_core.heads.categorical import CodeDistribution
from refine_core.noise import Noise

ELEMENTS = 128  # more than there are
FAR = 12
"""Distances of sites from here on are alike."""


class AttachmentHead(nn.Module):
    """Logits of the sites.

    Args:
        dim: Width of the hidden states.
        tables: Of the labels.
        width: Width w of sites.
    """

    def __init__(self, dim: int, tables: FragmentTables, width: int = 64) -> None:
        super().__init__()
        for name, table in vars(tables).items():
            self.register_buffer(name, table, persistent=False)
        labels, sites = tables.free.shape
        self.sites = sites
        self.node = nn.Linear(dim, width)
        self.other = nn.Linear(dim, width, bias=False)
        self.site = nn.Parameter(0.1 * torch.randn(labels, sites, width))
        self.element = nn.Embedding(ELEMENTS, width)
        self.hydrogens = nn.Embedding(5, width)
        self.near = nn.Embedding(FAR + 1, width)
        nn.init.zeros_(self.near.weight)
        self.keep = nn.Sequential(nn.GELU(), nn.Linear(width, width))
        self.query = nn.Sequential(
            nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width)
        )

    @property
    def tables(self) -> FragmentTables:
        """Tables of the labels, where the head is."""
        return FragmentTables(*(self.get_buffer(field.name) for field in fields(FragmentTables)))

    def forward(self, hidden: Tensor, state: Partition) -> "AttachmentDistribution":
        """Law of the sites from hidden states (b, m, d) of nodes."""
        return AttachmentDistribution(self, state, ((1.0, self, hidden),))

    def ends(self, hidden: Tensor, ends: Attachments) -> Tensor:
        """(t, w) what is known of each end before any is drawn."""
        here, there = hidden[ends.graph, ends.node], hidden[ends.graph, ends.other]
        return by_rows(self.node, here) + by_rows(self.other, there)

    def candidates(self, label: Tensor) -> Tensor:
        """(r, P, w) of the sites of labels (r,)."""
        tables = self.tables
        known = self.element(tables.atom[label]) + self.hydrogens(tables.free[label].clamp(max=4))
        made: Tensor = self.site[label] + known
        return made

    def kept(self, end: Tensor, site: Tensor) -> Tensor:
        """(..., w) what an end (..., w) adds to the memory, given the vector of its site."""
        return by_rows(self.keep, end + site).float()

    def logits(self, end: Tensor, memory: Tensor, candidates: Tensor) -> Tensor:
        """(..., P) from ends and memory (..., w), and sites (..., P, w)."""
        query = by_rows(self.query, end + memory) * end.shape[-1] ** -0.5
        found: Tensor = (candidates @ query[..., None])[..., 0]
        return found


@dataclass(frozen=True)
class AttachmentDistribution(MixedLaw[AttachmentHead, Partition]):
    """Law of the last code of a molecule, (b, m + e, g): the first two digits of an edge.

    States are graphs that have come apart, hidden states (b, m, d) of their nodes.
    """

    @property
    def valid(self) -> Tensor:
        """(b, m + e), nodes; the edges' part of the code counts as theirs."""
        return F.pad(self.state.valid, (0, self.state.real.shape[1]))

    def token_log_prob(self, code: Tensor) -> Tensor:
        """Log-probability (b, m + e), each node's; minus infinity of sites that are full."""
        m, tables = self.state.valid.shape[1], self.head.tables
        result = torch.zeros(code.shape[:2], device=code.device)
        ends = Attachments.of(self.state, tables.choice)
        if not len(ends.row):
            return result
        site = ends.table(code[ends.graph, m + ends.slot, ends.side], 0)
        real, open_ = ends.real, _open(site, ends, tables)

        def logits(head: AttachmentHead, hidden: Tensor) -> Tensor:
            end = ends.table(head.ends(hidden, ends), 0.0)
            candidates = head.candidates(ends.label)
            place = site[..., None].expand(-1, -1, candidates.shape[2])
            kept = head.kept(end, candidates.gather(1, place)) * real[..., None]
            far = tables.distance[ends.label].clamp(max=FAR)
            near = head.near(far.gather(1, site[..., None].expand(-1, -1, far.shape[2])))
            near = near * real[..., None, None]
            before = near.cumsum(1) - near
            wide = candidates[:, None] + before
            return head.logits(end, kept.cumsum(1) - kept, wide)

        table = self.weighted(logits)
        masked = torch.where(open_, table, -torch.inf)
        nats = F.cross_entropy(masked.flatten(0, 1), site.flatten(), reduction="none")
        nats = torch.where(real, nats.view_as(site), 0).sum(1)
        first = ends.place == 0
        result[ends.graph[first], ends.node[first]] = -nats
        return result

    def log_prob(self, code: Tensor) -> Tensor:
        """Log-probability (b,) of codes, in nats."""
        return self.token_log_prob(code).sum(1)

    def sample(self, noise: Noise) -> Tensor:
        """Codes (b, m + e, g); random numbers are those of the state's own noise."""
        return self.meeting(torch.full_like(self.state.ends, -1))

    def meeting(self, forced: Tensor, open_: Tensor | None = None) -> Tensor:
        """Codes (b, m + e, g) that meet demands, up to the symmetries of fragments.

        Args:
            forced: (b, e, 2) int64 sites of ends where not negative; they come first at a node.
            open_: (b, m, Q) int64, how many further ends each site of a node takes; negative
                where a node's sites take what they can. None where all do.
        """
        state, tables = self.state, self.head.tables
        m, edges = state.valid.shape[1], state.real.shape[1]
        digits = state.nodes.shape[2] + 3 * state.inner.shape[2]
        code = state.ends.new_zeros(len(state), m + edges, digits)
        label = state.labels.gather(1, state.ends.flatten(1)).view_as(state.ends)
        only = (tables.free > 0).long().argmax(1)  # where there is no choice
        code[:, m:, :2] = only[label] * state.real[:, :, None]
        ends = Attachments.of(state, tables.choice, forced)
        if len(ends.row):
            # At which scale a graph has come apart depends on the others of its batch.
            uniform = state.noise.uniform(ContractionStream.SITES, edges, 2)
            at = (ends.graph, ends.slot, ends.side)
            given = ends.table(forced[at], -1)
            if open_ is not None:
                first = ends.place == 0
                open_ = open_[ends.graph[first], ends.node[first]]
            sites = self._drawn(ends, ends.table(uniform[at], 0.0), given, open_)
            code[ends.graph, m + ends.slot, ends.side] = sites[ends.row, ends.place]
        return code

    def _drawn(
        self, ends: Attachments, uniform: Tensor, forced: Tensor, open_: Tensor | None
    ) -> Tensor:
        """Sites (r, D), one after the other; see `meeting` for `forced` (r, D), `open_` (r, Q)."""
        tables, label = self.head.tables, ends.label
        symmetries, far = tables.symmetries[label], tables.distance[label].clamp(max=FAR)
        free = tables.free[label]
        forced, left, alive = _demanded(forced, open_, free, symmetries)
        own = [(w, head, ends.table(head.ends(h, ends), 0.0)) for w, head, h in self.hidden]
        wide = {head: head.candidates(label) for _, head, _ in own}
        plain = dict(wide)
        memory = {head: torch.zeros_like(end[:, 0]) for _, head, end in own}
        row, sites = torch.arange(len(label), device=label.device), []
        place = torch.arange(left.shape[1], device=label.device)
        for j in range(uniform.shape[1]):
            known = [(w, head, end[:, j]) for w, head, end in own]
            each = [w * head.logits(x, memory[head], wide[head]).float() for w, head, x in known]
            open_ = _openings(left, free, least_images(alive, symmetries) == place)
            table = torch.stack(each).sum(0).masked_fill(~open_, -torch.inf)
            law = CodeDistribution(table[:, None, None])
            law = law.sharpened(self.temperature, self.top_k, self.top_p)
            site = law.inverse(uniform[:, j, None, None])[:, 0, 0]
            site = torch.where(forced[:, j] < 0, site, forced[:, j])
            sites.append(site)
            alive = alive & fixing(site, symmetries)
            left.scatter_add_(1, site[:, None], torch.full_like(site, -1)[:, None])
            for _, head, x in known:
                memory[head] = memory[head] + head.kept(x, plain[head][row, site])
                wide[head] = wide[head] + head.near(far[row, site])
        return torch.stack(sites, 1)


def _demanded(
    forced: Tensor, open_: Tensor | None, free: Tensor, symmetries: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Forced sites (r, D) as they are least, and with them what sites can take and what is alike.

    Returns:
        The sites; (r, P) ends that each site can take; (r, G) symmetries under which that stays.
    """
    alive = torch.ones_like(symmetries[:, :, 0]).bool()
    sites, real = forced.clamp(min=0), forced >= 0
    if open_ is None:
        return torch.where(real, canonical(sites, real, symmetries), -1), free.clone(), alive
    open_ = F.pad(open_, (0, free.shape[1]))[:, : free.shape[1]]
    every = torch.arange(free.shape[1], device=free.device).expand_as(free)
    turn = least_turn(torch.cat([sites, every], 1), torch.cat([real, open_ > 0], 1), symmetries)
    forced = torch.where(real, turn.gather(1, sites), -1)
    closed = open_[:, :1] >= 0
    takes = torch.zeros_like(free).scatter(1, turn, open_)
    taken = takes.scatter_add(1, forced.clamp(min=0), real.long())
    wide = takes[:, None].expand_as(symmetries).gather(2, symmetries)
    alive = ~closed | (wide == takes[:, None]).all(2)
    return forced, torch.where(closed, taken, free), alive


def _open(site: Tensor, ends: Attachments, tables: FragmentTables) -> Tensor:
    """(r, D, P) bool, whether each site could be drawn, given those (r, D) before it."""
    symmetries, free = tables.symmetries[ends.label], tables.free[ends.label]
    left = free.clone()
    alive = torch.ones(symmetries.shape[:2], dtype=torch.bool, device=site.device)
    place = torch.arange(left.shape[1], device=site.device)
    result = []
    for j in range(site.shape[1]):
        result.append(_openings(left, free, least_images(alive, symmetries) == place))
        alive = alive & fixing(site[:, j], symmetries)
        left.scatter_add_(1, site[:, j, None], torch.full_like(site[:, j, None], -1))
    return torch.stack(result, 1)


def _openings(left: Tensor, free: Tensor, least: Tensor) -> Tensor:
    """(r, P) bool, sites with bonds left (r, P) that are the `least` (r, P) of those alike.

    Where none is left, which valence limits do not rule out, all that were `free` (r, P) are open.
    """
    found = (left > 0) & least
    return torch.where(found.any(1, keepdim=True), found, free > 0)
