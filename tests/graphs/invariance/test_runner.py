"""What the assertions take (noise, labels, methods), and what they refuse or leave alone."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from graphs.data.batch import GraphBatch, Vocabulary
from graphs.invariance import (
    PermutationError,
    assert_permutation_equivariant,
    dense_example,
    graph_example,
)
from graphs.invariance.padded_batch import Padding
from refine_core.errors import InputError
from tests.graphs.invariance.models import DIM, Labels, Model, Position, built, failure

Batch = tuple[Tensor, Tensor, Tensor]


def test_dropout_is_reported_and_named() -> None:
    model = nn.Sequential(nn.Linear(DIM, DIM), nn.Dropout())
    batch = dense_example(DIM)
    error = failure(assert_permutation_equivariant, model, batch, call=lambda m, b: m(b[0]))
    assert error.counterexample is not None and "'1' (Dropout)" in error.counterexample.submodule
    model.eval()
    assert_permutation_equivariant(model, batch, call=lambda m, b: m(b[0]))


def test_noise_of_nodes_edges_and_graphs_goes_along() -> None:
    batch = dense_example(DIM)
    b, n = batch[2].shape
    noise = torch.randn(b, n, DIM), torch.randn(b, n, n), torch.randn(b)

    def call(model: Any, batch: Batch, node: Tensor, edge: Tensor, graph: Tensor) -> Any:
        x, adjacency, valid = batch
        return model(x + node + graph[:, None, None], adjacency * edge, valid)

    def check(**inputs: Any) -> Any:
        return assert_permutation_equivariant(built(Model()), batch, call=call, **inputs)

    check(node_inputs=noise[:1], edge_inputs=noise[1:2], graph_inputs=noise[2:])
    with pytest.raises(InputError, match="edge inputs"):
        check(node_inputs=noise[1:2], edge_inputs=noise[:1], graph_inputs=noise[2:])
    assert_permutation_equivariant(  # drawn inside, by graph
        built(Model()), batch, call=lambda m, b: m(b[0] + torch.randn(len(b[0]), 1, 1), *b[1:])
    )
    with pytest.raises(PermutationError):  # drawn inside, by row
        assert_permutation_equivariant(
            built(Model()), batch, call=lambda m, b: m(b[0] + torch.randn_like(b[0]), *b[1:])
        )


@pytest.mark.parametrize("padding", [None, "all"])
def test_labelled_graphs(padding: Padding | None) -> None:
    batch = graph_example(Vocabulary(("C", "N", "O"), ("SINGLE", "DOUBLE")))
    module, call = Labels().eval(), None
    if padding:  # edges at padding are garbage, which the module has to mask itself

        def call(m: Labels, b: GraphBatch) -> Any:
            edges = b.edges * (b.valid[:, :, None] & b.valid[:, None])
            return m(GraphBatch(b.nodes, edges, b.valid))

    report = assert_permutation_equivariant(
        module, batch, call=call, padding=padding, float64=True
    )
    assert report.absolute < 1e-12
    error = failure(assert_permutation_equivariant, Labels(sort=True), batch)
    assert "output[1].nodes (node level)" in str(error)


def test_feature_as_wide_as_the_graph_is_not_taken_for_nodes() -> None:
    batch = dense_example(7, nodes=7)
    assert batch[0].shape[1] == batch[0].shape[2] == 7
    assert_permutation_equivariant(lambda x, a, v: (x, (x * v[:, :, None]).sum(1)), batch)


def test_method_of_a_module_is_run_and_located() -> None:
    class Sampler(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.position = Position()

        def encode(self, x: Tensor, adjacency: Tensor, valid: Tensor) -> Tensor:
            out: Tensor = self.position(x)
            return out

    error = failure(assert_permutation_equivariant, Sampler().encode, dense_example(DIM))
    assert "Sampler.encode" in str(error) and "'position' (Position)" in str(error)


def test_module_is_left_alone() -> None:
    model, batch = nn.BatchNorm1d(DIM), dense_example(DIM)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()

    def call(module: nn.Module, batch: Batch) -> Tensor:
        x, _, valid = batch
        out = torch.zeros_like(x)
        out[valid] = module(x[valid])
        return out

    assert_permutation_equivariant(model, batch, call=call, float64=True)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert torch.equal(state, torch.get_rng_state()) and torch.get_default_dtype() == torch.float32


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        ((torch.zeros(2, 3, 1), torch.zeros(2, 4, 4), torch.ones(2, 3).bool()), "adjacency"),
        ((torch.zeros(2, 3, 1), torch.zeros(2, 3, 3), torch.ones(2, 3)), "torch.bool"),
        ([1], "of type list"),
        ((torch.zeros(0, 3, 1), torch.zeros(0, 3, 3), torch.zeros(0, 3).bool()), "without nodes"),
        ((torch.zeros(2, 3, 1), torch.zeros(2, 3, 3), torch.zeros(2, 3).bool()), "without nodes"),
    ],
)
def test_wrong_batches_get_a_sentence(batch: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        assert_permutation_equivariant(nn.Identity(), batch)


def test_wrong_outputs_get_a_sentence() -> None:
    batch = dense_example(DIM, nodes=7)
    with pytest.raises(InputError, match="no tensor"):
        assert_permutation_equivariant(lambda *_: 1.0, batch)
    with pytest.raises(InputError, match=r"shape \(9, 28\)"):
        assert_permutation_equivariant(lambda x, *_: x.flatten(1), batch)


def test_result_does_not_depend_on_the_global_seed() -> None:
    def worst(seed: int) -> float:
        torch.manual_seed(seed)
        return failure(
            assert_permutation_equivariant, nn.Dropout(), batch, call=call
        ).report.absolute

    def call(module: nn.Module, batch: Batch) -> Tensor:
        out: Tensor = module(batch[0])
        return out

    batch = dense_example(DIM)
    assert worst(1) == worst(2)


def test_tied_graphs_are_cycles_of_equal_nodes_and_edges() -> None:
    seen: list[GraphBatch] = []
    vocabulary = Vocabulary(("C", "N", "O"), ("SINGLE", "DOUBLE"))

    def keep(batch: GraphBatch) -> Tensor:
        seen.append(batch)
        return batch.nodes

    assert_permutation_equivariant(keep, graph_example(vocabulary))
    large = [batch[batch.sizes > 2] for batch in seen]
    degrees = [(batch.edges > 0).sum(2)[batch.valid] for batch in large]
    tied = [batch for batch, degree in zip(large, degrees, strict=True) if (degree == 2).all()]
    assert len(seen) // 3 < len(tied) < len(seen)
    for batch in tied:
        for nodes, edges, valid in zip(batch.nodes, batch.edges, batch.valid, strict=True):
            assert len(nodes[valid].unique()) == 1 and len(edges[edges > 0].unique()) == 1


def test_outputs_that_are_no_numbers_do_not_pass() -> None:
    batch = dense_example(DIM)

    def padded(x: Tensor, _: Tensor, valid: Tensor) -> Tensor:
        return x.masked_fill(~valid[:, :, None], torch.nan)

    assert_permutation_equivariant(padded, batch)
    # Masked logits compare like any number.
    assert_permutation_equivariant(lambda x, *_: torch.where(x > 0, x, -torch.inf), batch)
    for wrong in (torch.nan, torch.inf):
        error = failure(assert_permutation_equivariant, lambda x, *_, w=wrong: x * 0 + w, batch)
        assert "entries of output (node level) are NaN or infinite where nodes" in str(error)
        assert error.report.absolute == torch.inf and error.counterexample is None
    with pytest.raises(PermutationError, match="with tied nodes .`ties=False` leaves"):
        assert_permutation_equivariant(lambda x, a, v: x / spread(x, v), batch)
    assert_permutation_equivariant(lambda x, a, v: x / spread(x, v), batch, ties=False)


def spread(x: Tensor, valid: Tensor) -> Tensor:
    """Of a graph's nodes, from one to the other: 0 where they are tied."""
    real = valid[:, :, None]
    high = x.masked_fill(~real, -torch.inf).amax(1, keepdim=True)
    return high - x.masked_fill(~real, torch.inf).amin(1, keepdim=True)
