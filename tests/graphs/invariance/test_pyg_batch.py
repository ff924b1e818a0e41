"""Models of PyTorch Geometric under the test kit."""

import importlib.util
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from graphs.invariance import (
    assert_permutation_equivariant,
    assert_permutation_invariant,
    dense_example,
    pyg_example,
)
from refine_core.errors import InputError
from tests.graphs.invariance.models import DIM, failure

if importlib.util.find_spec("torch_geometric") is None:
    pytest.skip("needs torch_geometric", allow_module_level=True)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its own imports
    from torch_geometric.data import Batch, Data
    from torch_geometric.nn import (
        DenseGATConv,
        DenseGCNConv,
        DenseSAGEConv,
        GCNConv,
        GINConv,
        global_add_pool,
    )
    from torch_geometric.nn.aggr import SetTransformerAggregation
    from torch_geometric.nn.aggr.utils import InducedSetAttentionBlock

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch_geometric")


class GNN(nn.Module):
    """GIN, GCN, and a sum; `broken` numbers the nodes or weights the edges by their order."""

    def __init__(self, broken: str = "") -> None:
        super().__init__()
        self.first = GINConv(nn.Sequential(nn.Linear(DIM, 8), nn.ReLU(), nn.Linear(8, 8)))
        self.number = Number() if broken == "nodes" else nn.Identity()
        self.second = GCNConv(8, DIM)
        self.weigh = Weigh(broken == "edges")

    def forward(self, batch: Any) -> dict[str, Tensor]:
        h = self.number(self.first(batch.x, batch.edge_index))
        h = self.second(h, batch.edge_index, self.weigh(h, batch.edge_index))
        pair = h[batch.edge_index[0]] * h[batch.edge_index[1]]
        return {"node": h, "edge": pair, "graph": global_add_pool(h, batch.batch)}


class Number(nn.Module):
    """Adds the number of a row."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.arange(len(x))[:, None] / 10


class Weigh(nn.Module):
    """Weights of edges, by their ends or by their order."""

    def __init__(self, by_order: bool) -> None:
        super().__init__()
        self.by_order = by_order

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        if self.by_order:
            return torch.linspace(1, 2, edge_index.shape[1])
        return (x[edge_index[0]] * x[edge_index[1]]).sum(1).sigmoid()


@pytest.mark.parametrize("float64", [False, True])
def test_accepts_message_passing(float64: bool) -> None:
    report = assert_permutation_equivariant(GNN().eval(), pyg_example(DIM), float64=float64)
    assert report.absolute < (1e-12 if float64 else 1e-4)


@pytest.mark.parametrize(
    ("broken", "named", "change"),
    [
        ("nodes", "'number' (Number)", "swapping nodes"),
        ("edges", "'weigh' (Weigh)", "reordering the edges"),
    ],
)
def test_names_what_breaks(broken: str, named: str, change: str) -> None:
    found = failure(
        assert_permutation_equivariant, GNN(broken).eval(), pyg_example(DIM)
    ).counterexample
    assert found is not None
    assert named in found.submodule
    assert found.change.startswith(change)


def test_set_transformer_pooling_is_invariant() -> None:
    pool = SetTransformerAggregation(DIM, heads=2).eval()
    batch = pyg_example(DIM)
    report = assert_permutation_invariant(pool, batch, call=lambda m, b: m(b.x, b.batch))
    assert report.kind == "invariance"
    with pytest.raises(AssertionError, match="not permutation invariant"):
        assert_permutation_invariant(GNN().eval(), batch)


@pytest.mark.parametrize("masked", [True, False])
def test_induced_set_attention_on_padded_sets(masked: bool) -> None:
    """Its mask is given to the first of its two attentions; without one, padding leaks."""
    block = InducedSetAttentionBlock(DIM, num_induced_points=2, heads=2).eval()

    def call(module: nn.Module, batch: tuple[Tensor, Tensor, Tensor]) -> Any:
        return module(batch[0], batch[2] if masked else None)

    if masked:
        assert_permutation_equivariant(block, dense_example(DIM), call=call)
    else:
        found = failure(assert_permutation_equivariant, block, dense_example(DIM), call=call)
        assert found.counterexample is not None and "mab1.attn" in found.counterexample.submodule


def test_attributes_and_inputs_go_along() -> None:
    """Attributes of nodes, edges and graphs, indices of nodes, and further inputs."""
    graphs = [
        Data(
            x=torch.randn(n, DIM),
            edge_index=torch.randint(n, (2, 2 * n + 1)),
            edge_attr=torch.randn(2 * n + 1),
            root_index=torch.tensor([n - 1]),
            y=torch.randn(1, 3),
        )
        for n in (3, 5, 4)
    ]
    batch = Batch.from_data_list(graphs)
    node, edge, graph = torch.randn(12), torch.randn(27), torch.randn(3)

    def call(module: Any, b: Any, node: Tensor, edge: Tensor, graph: Tensor) -> Any:
        source, target = b.edge_index
        message = b.x[source] * (b.edge_attr * edge)[:, None]
        h = torch.zeros_like(b.x).index_add(0, target, message) + node[:, None]
        return h, edge * b.edge_attr, h[b.root_index] * b.y[:, :1], graph[b.batch] + h[:, 0]

    report = assert_permutation_equivariant(
        nn.Identity(),
        batch,
        call=call,
        node_inputs=[node],
        edge_inputs=[edge],
        graph_inputs=[graph],
    )
    assert report.absolute < 1e-5


def test_one_graph_and_a_sparse_adjacency() -> None:
    data = pyg_example(DIM).to_data_list()[3]
    assert_permutation_equivariant(GCNConv(DIM, 2), data, call=lambda m, b: m(b.x, b.edge_index))
    with pytest.raises(InputError, match="edge_index"):
        assert_permutation_equivariant(nn.Identity(), Data(x=torch.zeros(2, 1), adj_t=1))


@pytest.mark.parametrize("layer", [DenseGCNConv, DenseSAGEConv, DenseGATConv])
def test_dense_layers_are_equivariant(layer: Any) -> None:
    """They mask their outputs, and trust that padding has no edges."""
    module = layer(DIM, 3).eval()
    report = assert_permutation_equivariant(module, dense_example(DIM))
    assert [finding.change for finding in report.findings] == ["relabelling", "padding"]
    error = failure(assert_permutation_equivariant, module, dense_example(DIM), padding="all")
    relabelling, padding = error.report.findings
    assert relabelling.error.excess < 1 < padding.error.excess
    assert error.report.verdict == "depends on the padding"
    assert error.counterexample is not None
    assert error.counterexample.change == "rewriting what stands at padding"


LEAKS = {
    "first node": lambda batch: batch.x - batch.x[0],
    "first node's position": lambda batch: batch.x.norm(dim=1) * (batch.pos - batch.pos[0])[:, 0],
    "first edge": lambda batch: batch.x + batch.edge_index[0, 0],
    "last edge": lambda batch: batch.x + batch.edge_index[1, -1],
}


@pytest.mark.parametrize("leak", LEAKS)
def test_leaks_of_one_node_into_the_whole_batch_are_caught(leak: str) -> None:
    graphs = pyg_example(DIM).to_data_list()
    for data in graphs:
        data.pos = torch.randn(data.num_nodes, 3)
    batch = Batch.from_data_list(graphs)
    error = failure(assert_permutation_equivariant, LEAKS[leak], batch)
    assert error.report.findings[0].change == "relabelling"
    assert error.report.findings[0].error.excess > 1


def test_order_of_edges_is_a_finding_of_its_own() -> None:
    model = GNN("edges").eval()
    error = failure(assert_permutation_equivariant, model, pyg_example(DIM))
    relabelling, edges = error.report.findings
    assert edges.change == "order of edges" and edges.error.excess > 1 > relabelling.error.excess
    assert "depends on the order of edges" in str(error)


def test_attributes_set_on_a_batch_are_refused() -> None:
    batch = pyg_example(DIM)
    batch.pos = torch.randn(batch.num_nodes, 3)
    with pytest.raises(InputError, match="attributes pos that were set on the Batch"):
        assert_permutation_equivariant(lambda data: data.pos, batch)
    graphs = [data.clone() for data in pyg_example(DIM).to_data_list()]
    for data in graphs:
        data.pos = torch.randn(data.num_nodes, 3)
    whole = Batch.from_data_list(graphs)
    assert assert_permutation_equivariant(lambda data: data.pos * 2, whole).absolute == 0
    failure(assert_permutation_equivariant, lambda data: data.pos - data.pos[0], whole)
