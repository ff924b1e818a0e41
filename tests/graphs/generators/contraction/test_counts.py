"""Laws of what graphs consist of."""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from graphs.generators.common.sizes import SizeLimit
from graphs.generators.common.valence import ValenceLimits
from graphs.generators.contraction.counts.head import CountDistribution, CountHead
from graphs.generators.contraction.counts.sampling import LabelBounds, sample
from graphs.generators.contraction.split.bounds import (
    INNER,
    JOIN,
    NODES,
    OUTER,
    Budget,
    Demand,
)
from graphs.generators.contraction.state.partition import Partition
from refine_core.noise import Noise

MOST = (2, 1, 2, 3, 1)  # three labels of nodes, two of edges


def law(count: int, *, connected: bool = True, temperature: float = 1.0) -> CountDistribution:
    """A law with weights that matter, of `count` graphs with the same hidden state."""
    torch.manual_seed(0)
    head = CountHead(8, 3, 2, 4, connected, width=8, depth=2)
    for parameter in head.parameters():
        parameter.data.add_(0.5 * torch.randn(parameter.shape))
    one = torch.ones(count, 1, dtype=torch.bool)
    none = torch.zeros(count, 0, dtype=torch.int64)
    nodes, inner = torch.tensor(MOST).expand(count, 1, 5).split([3, 2], 2)
    ends = none[:, :, None].expand(count, 0, 2)
    state = Partition(nodes, inner, one, ends, none, none.bool(), one, names(count), False)
    hidden = torch.randn(1, 1, 8).expand(count, 1, 8)
    made: CountDistribution = head.eval()(hidden, state)
    return replace(made, temperature=temperature)


def names(count: int) -> Noise:
    return Noise(3, torch.arange(count))


def every() -> Tensor:
    """All codes, possible or not, (n, 1, g)."""
    counts = itertools.product(*(range(most + 2) for most in MOST))
    return torch.tensor([(*each, 0, 0, 0, 0) for each in counts])[:, None]


def test_the_law_is_one() -> None:
    for connected in (True, False):
        codes = every()
        with torch.no_grad():
            mass = law(len(codes), connected=connected).log_prob(codes).exp()
        possible = codes[mass > 0, 0]
        nodes, edges = possible[:, :3].sum(1), possible[:, 3:5].sum(1)
        assert torch.isclose(mass.sum(), torch.tensor(1.0), atol=1e-5)
        assert bool((nodes > 0).all()) and bool((edges <= nodes * (nodes - 1) // 2).all())
        assert not connected or bool((edges >= nodes - 1).all())


def test_samples_follow_the_law() -> None:
    codes, count = every(), 20_000
    with torch.no_grad():
        mass = law(len(codes)).log_prob(codes).exp()
        drawn = law(count).sample(names(count))
    found, times = drawn[:, 0].unique(dim=0, return_counts=True)
    place = {tuple(code.tolist()): k for k, code in enumerate(codes[:, 0])}
    share = torch.zeros(len(codes))
    for code, n in zip(found, times, strict=True):
        share[place[tuple(code.tolist())]] = float(n) / count
    assert float((share - mass).abs().sum()) < 0.06
    assert float(share[mass == 0].sum()) == 0


def test_a_graph_does_not_depend_on_the_others_of_its_batch() -> None:
    with torch.no_grad():
        whole = law(40).sample(names(40))
        codes = law(40).log_prob(whole)
        for k in (0, 7, 39):
            part = law(1)
            one = part.sample(Noise(3, torch.tensor([k])))
            assert torch.equal(one[0], whole[k])
            assert torch.allclose(part.log_prob(one), codes[k : k + 1], atol=1e-5)


def test_a_demand_is_met_and_its_share_is_the_probability_of_meeting_it() -> None:
    count = 4000
    dist = law(count)
    nodes = torch.tensor([[0, 1, 1], [0, 0, 0]]).expand(count, 2, 3)
    inner = torch.tensor([[1, 0], [0, 0]]).expand(count, 2, 2)
    none = torch.zeros(count, 2, dtype=torch.int64)
    demand = Demand(nodes, inner, none, none[:, None].expand(-1, 2, -1), none)
    with torch.no_grad():
        codes, share = sample(dist, names(count), demand)
        mass = law(len(every())).log_prob(every()).exp()
    met = (codes[:, 0, :5] >= torch.tensor([0, 1, 1, 1, 0])).all()
    wanted = (every()[:, 0, :5] >= torch.tensor([0, 1, 1, 1, 0])).all(1)
    assert bool(met)
    assert abs(float(share.exp().mean()) - float(mass[wanted].sum())) < 0.02
    dist.head.size_limit = limit = SizeLimit(4, (2, 1, 1))
    with torch.no_grad():
        codes, share = sample(dist, names(count), demand)
    wanted &= ~limit.exceeded(every()[:, 0, :3])
    assert bool((codes[:, 0, :5] >= torch.tensor([0, 1, 1, 1, 0])).all())
    assert not bool(limit.exceeded(codes[:, 0, :3]).any())
    assert abs(float(share.exp().mean()) - float(mass[wanted].sum())) < 0.02


def test_bounds_of_one_group_and_of_the_next_label_are_those_of_all() -> None:
    codes = every()[:, 0]
    state = law(len(codes)).state
    none = torch.zeros(len(codes), 2, dtype=torch.int64)
    nodes = torch.tensor([[0, 1, 0], [0, 0, 0]]).expand(len(codes), 2, 3)
    both = none[:, None].expand(-1, 2, -1)
    demand = Demand(nodes, both, none, both, none)
    every_one = torch.arange(len(codes))
    for given in (None, demand):
        budget = Budget.of(state, True, given)
        whole = budget.bounds(codes)
        parts = [budget.bounds(codes, group) for group in (NODES, INNER, JOIN, OUTER)]
        for i, bound in enumerate(whole):
            assert torch.equal(bound, torch.cat([part[i] for part in parts], 1))
        labels = LabelBounds(budget, given, None)
        for label in range(3):
            drawn = codes[:, :label].sum(1, keepdim=True).expand(-1, 2)
            ahead = labels.of(every_one, torch.full_like(every_one, label), drawn)
            for bound, short in zip(whole, ahead, strict=True):
                assert torch.equal(bound[:, label], short)


@pytest.mark.parametrize("demanded", [False, True])
def test_labels_are_open_that_some_code_continues_with(demanded: bool) -> None:
    state, count = law(1).state, len(every())
    none = torch.zeros(1, 2, dtype=torch.int64)
    nodes, both = torch.tensor([[[0, 1, 0], [0, 0, 0]]]), none[:, None].expand(-1, 2, -1)
    demand = Demand(nodes, both, none, both, none) if demanded else None
    budget = Budget.of(state, True, demand)
    low, high = Budget.of(law(count).state, True, demand and _repeated(demand, count)).bounds(
        every()[:, 0]
    )
    inside = ((every()[:, 0] >= low) & (every()[:, 0] <= high))[:, :3].all(1)
    possible = {tuple(code) for code in every()[inside, 0, :3].tolist()}
    starts = {code[:k] for code in possible for k in range(4)}
    bounds, end = LabelBounds(budget, demand, None), 3
    for start in starts:
        last = max((k for k, n in enumerate(start) if n), default=-1)
        drawn = torch.tensor([[sum(start), sum(start)]])
        found = bounds.open(torch.tensor([0]), torch.tensor([last]), drawn)[0]
        begun = [code for code in possible if code[: last + 1] == start[: last + 1]]
        following = [next((k for k in range(last + 1, 3) if code[k]), end) for code in begun]
        assert set(found.nonzero()[:, 0].tolist()) == set(following)


def _repeated(demand: Demand, times: int) -> Demand:
    return Demand(*(x.expand(times, *x.shape[1:]) for x in vars(demand).values()))


def test_no_temperature_takes_the_likeliest_and_guidance_moves_the_law() -> None:
    still = law(3, temperature=0.0).sample(names(3))
    assert bool((still == still[:1]).all())
    dist = law(1)
    other = replace(dist, hidden=tuple((w, h, x + 1) for w, h, x in dist.hidden))
    code = dist.sample(names(1))
    with torch.no_grad():
        same, moved = dist.guided(other, 0.0), dist.guided(other, 2.0)
        assert torch.allclose(same.log_prob(code), dist.log_prob(code), atol=1e-5)
        assert not torch.allclose(moved.log_prob(code), dist.log_prob(code), atol=1e-3)


def test_counts_beyond_valence_limits_are_drawn_again() -> None:
    dist = law(200)
    limits = ValenceLimits((2, 2, 2), (2, 2))  # no node has two edges
    with torch.no_grad():
        dist.head.valence_limits = limits
        code = dist.sample(names(200))[:, 0]
    within = 2 * code[:, 3:5].sum(1) <= code[:, :3].sum(1)
    assert float(within.float().mean()) > 0.95


def test_more_nodes_than_the_largest_graph_are_drawn_again_and_have_no_likelihood() -> None:
    codes, count = every(), 4000
    limit = SizeLimit(3, (1, 3, 1))  # the second label is a fragment of three atoms
    dist, bounded = law(count), law(len(codes))
    with torch.no_grad():
        for parameter in (*dist.head.parameters(), *bounded.head.parameters()):
            parameter.mul_(0.3)  # towards a law in which many counts are likely
        free = bounded.log_prob(codes)
        dist.head.size_limit = bounded.head.size_limit = limit
        drawn, nats = dist.sample(names(count)), bounded.log_prob(codes)
    large = limit.exceeded(codes[:, 0, :3])
    inside = free[~large].exp()
    assert 0.2 < float(inside.sum()) < 0.9
    assert not bool(limit.exceeded(drawn[:, 0, :3]).any())
    assert bool((nats[large] == -torch.inf).all()) and torch.equal(nats[~large], free[~large])
    found = torch.stack([(drawn == code).all(2).float().mean() for code in codes[~large]])
    share = inside / inside.sum()  # never less than the likelihood says
    assert float((found - share).abs().sum()) < 0.1
    assert bool((found >= inside - 0.02).all())
