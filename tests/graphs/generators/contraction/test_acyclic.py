"""Contractions of directed acyclic graphs: no state that is drawn has a cycle."""

from dataclasses import replace

import networkx as nx
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from graphs.config import GraphsConfig
from graphs.data.convert_networkx import from_networkx, to_networkx
from graphs.datasets.statistics import all_acyclic
from graphs.evaluation.equivariance import check_equivariance
from graphs.generators.common.coarsening import contract, reachable
from graphs.generators.common.statistics import GraphStatistics
from graphs.generators.contraction.config import ContractionConfig
from graphs.generators.contraction.state.partition import Partition
from graphs.generators.contraction.tokenizer import ContractionTokenizer
from graphs.generators.kinds import kind_of
from graphs.model import GraphModel
from tests.graphs.digraphs import acyclic_digraphs, batch_of, digraphs, same
from tests.graphs.tiny import names


def _cyclic(state: Partition, outward: Tensor) -> bool:
    """Whether clusters of any graph are on a cycle."""
    m = state.valid.shape[1]
    arcs = torch.zeros(len(state), m, m, dtype=torch.bool)
    b, e = torch.nonzero(state.real, as_tuple=True)
    i, j = state.ends[b, e].unbind(1)
    out = outward[state.label[b, e]]
    arcs[b, torch.where(out, i, j), torch.where(out, j, i)] = True
    return bool(reachable(arcs).diagonal(dim1=1, dim2=2).any())


def test_graphs_without_cycles_are_recognised() -> None:
    assert all_acyclic(from_networkx(acyclic_digraphs(True)))
    assert not all_acyclic(from_networkx(digraphs(False)))
    ring = nx.DiGraph([(0, 1), (1, 2), (2, 0), (2, 3)])
    assert not all_acyclic(from_networkx([*acyclic_digraphs(False), ring]))
    assert not all_acyclic(from_networkx([nx.path_graph(3)]))


@pytest.mark.parametrize("labelled", [False, True])
def test_codes_lead_through_acyclic_states_to_the_graph(labelled: bool) -> None:
    graphs = acyclic_digraphs(labelled)
    store = from_networkx(graphs)
    statistics = GraphStatistics.of(store)
    tokens = ContractionTokenizer(
        store.vocabulary, statistics.max_counts, connected=False, acyclic=True
    )
    outward = store.vocabulary.outward
    assert outward is not None
    trace = tokens.trace(tokens.features(batch_of(store), names(len(graphs), seed=3)))
    assert not any(_cyclic(state, outward) for state in trace.states[1:])
    found = to_networkx(tokens.finish(trace.states[-1]), store.vocabulary)
    assert all(same(back, graph) for graph, back in zip(graphs, found, strict=True))


def test_trees_are_shallow() -> None:
    store = from_networkx([nx.DiGraph([(i, i + 1) for i in range(31)])])
    graphs, outward = batch_of(store), store.vocabulary.outward
    assert outward is not None
    arcs = F.pad(outward, (1, 0))[graphs.edges]
    tree = contract(graphs, names(1).uniform(0, 32), arcs=arcs)
    depth = torch.zeros(63, dtype=torch.int64)
    for node in range(63):
        if tree.children[0, node, 0] >= 0:
            depth[node] = 1 + depth[tree.children[0, node]].max()
    assert int(depth[tree.root[0]]) <= 10


def _model(graphs: "list[nx.DiGraph[int]]") -> GraphModel:
    settings = ContractionConfig(dim=16, depth=1, heads=2, edge_tokens="none")
    statistics = GraphStatistics.of(from_networkx(graphs))
    torch.manual_seed(0)
    refiner = kind_of(settings).build(statistics).eval()
    return GraphModel(refiner, GraphsConfig(name="small", model=settings), statistics)


@torch.no_grad()
@pytest.mark.parametrize("labelled", [False, True])
def test_samples_of_an_untrained_model_have_no_cycle(labelled: bool) -> None:
    graphs = acyclic_digraphs(labelled)
    model = _model(graphs)
    drawn = to_networkx(model.sample(100), model.vocabulary)
    assert all(nx.is_directed_acyclic_graph(graph) for graph in drawn)
    assert sum(graph.number_of_edges() > 3 for graph in drawn) > 10
    assert bool(model.code_log_prob(batch_of(from_networkx(graphs))).isfinite().all())


def test_the_order_of_nodes_plays_no_part() -> None:
    assert check_equivariance(_model(acyclic_digraphs(True)), draws=2000)


@torch.no_grad()
def test_probabilities_of_all_graphs_of_two_nodes_sum_to_one() -> None:
    arc: nx.DiGraph[int] = nx.DiGraph([(0, 1)])
    apart: nx.DiGraph[int] = nx.DiGraph()
    single: nx.DiGraph[int] = nx.DiGraph()
    apart.add_nodes_from(range(2))
    single.add_node(0)
    model = _model([arc, apart, single])
    nats = model.code_log_prob(batch_of(from_networkx([arc, apart, single])))
    assert float(nats.exp().sum()) == pytest.approx(1, abs=1e-5)


def test_graphs_with_cycles_are_impossible() -> None:
    store = from_networkx(
        [nx.DiGraph([(0, 1), (1, 2), (2, 0)]), nx.DiGraph([(0, 1), (1, 2), (0, 2)])]
    )
    statistics = replace(GraphStatistics.of(store), acyclic=True)
    refiner = kind_of(ContractionConfig(dim=16, depth=1, heads=2, edge_tokens="none")).build(
        statistics
    )
    found = refiner.eval().code_log_prob(batch_of(store), noise=names(2)).sum(1)
    assert found.isfinite().tolist() == [False, True]
