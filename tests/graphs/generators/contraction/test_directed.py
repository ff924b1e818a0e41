"""Contractions of directed graphs."""

from dataclasses import replace
from typing import Any

import networkx as nx
import pytest
import torch

from graphs.config import GraphsConfig
from graphs.data.convert_networkx import from_networkx, to_networkx
from graphs.data.store import GraphStore
from graphs.datasets.statistics import max_counts
from graphs.evaluation.equivariance import check_equivariance
from graphs.generators.common.statistics import GraphStatistics
from graphs.generators.contraction.config import ContractionConfig
from graphs.generators.contraction.embed import GraphEmbed
from graphs.generators.contraction.tokenizer import ContractionTokenizer
from graphs.generators.expansion.config import ExpansionConfig
from graphs.generators.kinds import kind_of
from graphs.generators.masked.config import MaskedConfig
from graphs.model import GraphModel
from refine_core.errors import InputError
from refine_core.noise import Noise
from tests.graphs.digraphs import batch_of, digraphs, same

SMALL: dict[str, Any] = {"dim": 16, "depth": 1, "heads": 2, "edge_tokens": "none"}


def _model(store: GraphStore) -> GraphModel:
    config = GraphsConfig(name="small", model=ContractionConfig(**SMALL))
    statistics = replace(GraphStatistics.of(store), connected=False, valence_limits=None)
    torch.manual_seed(0)
    refiner = kind_of(config.model).build(statistics).eval()
    embed = refiner.embed
    assert isinstance(embed, GraphEmbed) and embed.link is not None
    torch.nn.init.normal_(embed.link.weight)
    return GraphModel(refiner, config, statistics)


@pytest.mark.parametrize("labelled", [False, True])
def test_codes_decode_to_the_graph(labelled: bool) -> None:
    graphs = digraphs(labelled)
    store = from_networkx(graphs)
    tokens = ContractionTokenizer(store.vocabulary, max_counts(store), connected=False)
    noise = Noise(3, torch.arange(len(graphs)))
    trace = tokens.trace(tokens.features(batch_of(store), noise))
    for graph, back in zip(
        graphs, to_networkx(tokens.finish(trace.states[-1]), store.vocabulary), strict=True
    ):
        assert same(back, graph)


def test_the_label_of_an_edge_at_a_cluster_does_not_depend_on_which_end_came_first() -> None:
    store = from_networkx(digraphs(True))
    tokens = ContractionTokenizer(store.vocabulary, max_counts(store), connected=False)
    noise = Noise(0, torch.arange(len(store)))
    state = tokens.trace(tokens.features(batch_of(store), noise)).states[4]
    assert bool(state.real.any())
    flipped = type(state)(
        **{**vars(state), "ends": state.ends.flip(2), "label": state.label_at[:, :, 1]}
    )
    assert torch.equal(state.outer, flipped.outer)
    assert torch.equal(state.links, flipped.links)
    assert torch.equal(state.links, state.links.transpose(1, 2)[..., store.vocabulary.reverse])


def test_probabilities_of_all_graphs_of_two_nodes_sum_to_one() -> None:
    arc, both = nx.DiGraph([(0, 1)]), nx.DiGraph([(0, 1), (1, 0)])
    apart: nx.DiGraph[int] = nx.DiGraph()
    apart.add_nodes_from(range(2))
    single: nx.DiGraph[int] = nx.DiGraph()
    single.add_node(0)
    store = from_networkx([arc, both, apart, single])
    refiner, total = _model(store).refiner, 0.0
    for k in range(4):
        # An arc is counted by what its end in the first child sees, and either may be the first.
        seen = set()
        for seed in range(12):
            nats = refiner.code_log_prob(store[torch.tensor([k])][0], None, _noise(seed))
            seen.add(round(float(nats.detach().exp().prod()), 7))
        assert len(seen) == (2 if k == 0 else 1)
        total += sum(seen)
    assert total == pytest.approx(1, abs=1e-5)


def _noise(seed: int) -> Noise:
    return Noise(seed, torch.zeros(1, dtype=torch.int64))


def test_the_order_of_nodes_plays_no_part() -> None:
    assert check_equivariance(_model(from_networkx(digraphs(True))), draws=1000)


def test_what_cannot_be_is_refused() -> None:
    store = from_networkx(digraphs(False))
    statistics = GraphStatistics.of(store)
    for config in (MaskedConfig(), ExpansionConfig()):
        with pytest.raises(InputError, match="takes no directed graphs: set `model.kind`"):
            kind_of(config).build(statistics)
    with pytest.raises(InputError, match="edge_tokens 'all' takes no directed graphs"):
        kind_of(ContractionConfig()).build(statistics)
    with pytest.raises(InputError, match="Directed graphs take no scaffolds"):
        _model(store).sample(2, scaffold=batch_of(store)[:1])
