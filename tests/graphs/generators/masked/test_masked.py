"""Masked diffusion: probabilities, order and valence limits."""

from dataclasses import replace
from itertools import product

import pytest
import torch

from graphs.data.batch import GraphBatch
from graphs.generators.masked.config import MaskedConfig
from graphs.generators.masked.head import RevealHead
from graphs.generators.masked.tokenizer import MaskedTokenizer
from graphs.model import GraphModel
from refine_core.noise import Noise
from tests.graphs import tiny
from tests.graphs.tiny import SIZES


def _model() -> GraphModel:
    statistics = replace(tiny.STATISTICS, valence_limits=tiny.LIMITS)
    return tiny.model(MaskedConfig(**tiny.SMALL), statistics, calls=6)


def test_masked_probabilities_sum_to_one() -> None:
    made = _model()
    pairs = list(product(range(3), range(3), range(3)))  # two nodes' labels, and their edge's
    nodes = torch.tensor([pair[:2] for pair in pairs])
    edges = torch.zeros(27, 2, 2).long()
    edges[:, 0, 1] = edges[:, 1, 0] = torch.tensor([pair[2] for pair in pairs])
    batch = GraphBatch(nodes, edges, torch.ones(27, 2).bool())
    for order in range(4):  # one order of revealing for all
        noise = Noise(order, torch.zeros(27).long())
        with torch.no_grad():
            total = made.refiner.code_log_prob(batch, None, noise).sum(1).exp().sum()
        assert float(total) == pytest.approx(SIZES[2] / sum(SIZES), rel=1e-4)


@pytest.mark.parametrize("calls", [1, 3, 50])
def test_masked_reveals_everything_once(calls: int) -> None:
    refiner = _model().refiner
    tokens = refiner.tokenizer
    assert isinstance(tokens, MaskedTokenizer)
    tokens.set_calls(calls)
    trace = refiner.sample_trace(tiny.names(30))
    revealed = torch.stack([code > 0 for code in trace.codes]).sum(0)
    final = trace.states[-1]
    assert torch.equal(revealed[:, :, 0], final.valid.long())
    assert torch.equal(revealed[:, :, 1:], final.pairs.long())
    known = torch.stack([state.known for state in trace.states])
    assert (known[-1] == final.elements).all() and (known.diff(dim=0) >= 0).all()


def test_masked_respects_valence_limits() -> None:
    made = _model()
    weight = torch.tensor((0, *tiny.LIMITS.weight))
    capacity = torch.tensor(tiny.LIMITS.capacity)

    def excess(graphs: GraphBatch) -> float:
        over = (weight[graphs.edges].sum(2) > capacity[graphs.nodes]) & graphs.valid
        return float(over.any(1).float().mean())

    limited = excess(made.sample(200, calls=30))
    head = made.refiner.head
    assert isinstance(head, RevealHead)
    head.valence_limits = None
    assert limited < 0.5 * excess(made.sample(200, calls=30))
