"""Models that are equivariant pass; those that are not are caught, and the culprit is named."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from graphs.invariance import (
    assert_permutation_equivariant,
    assert_permutation_invariant,
    dense_example,
)
from tests.graphs.invariance.models import (
    DIM,
    DeepSet,
    FirstBest,
    Model,
    SetTransformer,
    Swap,
    Transformer,
    built,
    failure,
)


@pytest.mark.parametrize("make", [Model, DeepSet, Transformer, SetTransformer])
@pytest.mark.parametrize("float64", [False, True])
def test_accepts(make: Callable[[], nn.Module], float64: bool) -> None:
    report = assert_permutation_equivariant(built(make()), dense_example(DIM), float64=float64)
    assert report.precision == ("float64" if float64 else "float32")
    assert report.relabellings == 8
    assert report.absolute < (1e-12 if float64 else 1e-5)


@pytest.mark.parametrize("make", [DeepSet, lambda: nn.Sequential(Transformer(), nn.Identity())])
def test_tells_invariance_from_equivariance(make: Callable[[], nn.Module]) -> None:
    module, batch = built(make()) if make is DeepSet else Transformer().eval(), dense_example(DIM)
    if isinstance(module, DeepSet):
        assert assert_permutation_invariant(module, batch).kind == "invariance"
    else:
        assert "not permutation invariant" in str(
            failure(assert_permutation_invariant, module, batch, grow=0)
        )


@pytest.mark.parametrize(
    ("broken", "named", "change"),
    [
        ("position", "'position' (Position)", "swapping nodes"),
        ("ties", "'mark' (FirstBest)", "swapping nodes"),
        ("padding", "'pool' (Pool)", "adding 2 rows of padding"),
    ],
)
def test_names_what_breaks(broken: str, named: str, change: str) -> None:
    error = failure(assert_permutation_equivariant, built(Model(broken)), dense_example(DIM))
    found = error.counterexample
    assert found is not None
    assert named in found.submodule and named in str(error)
    assert found.change.startswith(change)
    assert found.error.excess > 1
    assert error.report.absolute >= 1e-3


def test_first_of_two_breaks_is_named() -> None:
    broken = built(Model("ties", "position", "padding"))
    found = failure(assert_permutation_equivariant, broken, dense_example(DIM))
    assert found.counterexample is not None and "'position'" in found.counterexample.submodule


def test_smallest_failing_change_fails() -> None:
    """The reported swap, done by hand on the reported graph, shows the failure."""
    x, adjacency, valid = dense_example(DIM)
    model = built(Model("position"))
    found = failure(assert_permutation_equivariant, model, (x, adjacency, valid)).counterexample
    assert found is not None and not found.tied
    assert found.nodes == 2 == int(valid[found.graph].sum())
    assert sorted(found.permutation) == list(range(found.nodes))
    moved = sum(i != j for i, j in enumerate(found.permutation))
    assert moved == 2
    a, b, order = x[[found.graph], :2], adjacency[[found.graph], :2, :2], list(found.permutation)
    all_valid = torch.ones(1, 2).bool()
    swapped = model(a[:, order], b[:, order][:, :, order], all_valid)["node"]
    gap = (swapped - model(a, b, all_valid)["node"][:, order]).abs().max()
    assert gap > 1e-3


def test_ties_are_what_shows_a_choice_by_index() -> None:
    x, adjacency, valid = dense_example(DIM)
    free = (torch.randn_like(x), adjacency, valid)
    model = built(Model("ties"))
    assert_permutation_equivariant(model, free, ties=False)
    found = failure(assert_permutation_equivariant, model, free).counterexample
    assert found is not None and found.tied


def test_cycles_are_what_shows_a_choice_by_degree() -> None:
    """On paths of three the node of the highest degree is unique."""
    path = torch.tensor([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]])
    batch = torch.randn(2, 3, DIM), path.expand(2, 3, 3), torch.ones(2, 3).bool()

    def call(module: nn.Module, batch: tuple[Tensor, Tensor, Tensor]) -> Any:
        _, adjacency, valid = batch
        return module((adjacency.sum(2) * valid)[:, :, None], valid)

    options: dict[str, Any] = {"call": call}
    assert_permutation_equivariant(FirstBest(), batch, **options, ties=False)
    failure(assert_permutation_equivariant, FirstBest(), batch, **options)


def test_code_between_submodules_is_blamed_for_what_it_breaks() -> None:
    class Numbered(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.enter, self.leave = nn.Linear(DIM, DIM), nn.Linear(DIM, DIM)

        def forward(self, x: Tensor, adjacency: Tensor, valid: Tensor) -> Tensor:
            out: Tensor = self.leave(self.enter(x) + torch.arange(x.shape[1])[:, None])
            return out

    found = failure(assert_permutation_equivariant, Numbered(), dense_example(DIM)).counterexample
    assert found is not None
    assert found.submodule.startswith("the forward code of Numbered itself")
    assert "'leave' (Linear)" in found.submodule


def test_forgotten_mask_is_caught_inside_of_torchs_encoder() -> None:
    found = failure(
        assert_permutation_equivariant, Transformer(masked=False).eval(), dense_example(DIM)
    ).counterexample
    assert found is not None and found.change == "rewriting what stands at padding"
    assert found.submodule.startswith("'encoder.layers.0.self_attn' (MultiheadAttention)")


@pytest.mark.parametrize("broken", [False, True])
def test_padding_is_caught_where_all_graphs_are_of_one_size(broken: bool) -> None:
    x, adjacency, valid = torch.randn(3, 5, DIM), torch.ones(3, 5, 5), torch.ones(3, 5).bool()
    model = built(Model(*["padding"] * broken))
    if broken:
        found = failure(
            assert_permutation_equivariant, model, (x, adjacency, valid)
        ).counterexample
        assert found is not None and found.change == "adding 2 rows of padding"
    else:
        assert_permutation_equivariant(model, (x, adjacency, valid))


def test_walk_finds_a_transposition_where_none_of_the_graph_as_given_fails() -> None:
    """Sorting 3, 2, 1, 0 takes two swaps, and only the second makes the difference."""
    x = torch.tensor([[[3.0], [2.0], [1.0], [0.0]]])
    batch = x, torch.ones(1, 4, 4), torch.ones(1, 4).bool()
    found = failure(
        assert_permutation_equivariant, Swap(), batch, relabellings=64, ties=False, grow=0
    ).counterexample
    assert found is not None
    assert sum(i != j for i, j in enumerate(found.permutation)) == 2
    before = x[0, list(found.start), 0]
    after = before[list(found.permutation)]
    ascending = [bool((row.diff() > 0).all()) for row in (before, after)]
    assert sorted(ascending) == [False, True]
    assert list(found.start) != [0, 1, 2, 3]


def test_padding_and_relabelling_are_told_apart() -> None:
    """A sum over neighbours is equivariant; only edges at padding could change it."""
    layer = nn.Linear(DIM, 3)

    def neighbours(x: Tensor, adjacency: Tensor, valid: Tensor) -> Tensor:
        out: Tensor = adjacency @ layer(x)
        return out

    batch = dense_example(DIM)
    report = assert_permutation_equivariant(neighbours, batch)
    assert all(finding.error.excess < 1 for finding in report.findings)
    error = failure(assert_permutation_equivariant, neighbours, batch, padding="all")
    relabelling, padding = error.report.findings
    assert relabelling.error.excess < 1 < padding.error.excess
    assert "depends on the padding" in str(error) and "swapping" not in str(error)
    both = failure(assert_permutation_equivariant, built(Model("position", "padding")), batch)
    assert both.report.verdict == "is not permutation equivariant and depends on the padding"
    assert [each.change[:8] for each in both.counterexamples] == ["swapping", "adding 2"]


def test_leaks_smaller_than_single_precision_show() -> None:
    def numbered(x: Tensor, adjacency: Tensor, valid: Tensor) -> Tensor:
        return x + 1e-6 * torch.arange(x.shape[1])[:, None]

    batch = dense_example(DIM)
    error = failure(assert_permutation_equivariant, numbered, batch)
    assert error.report.precision == "float64" and "in float64" in str(error)
    report = assert_permutation_equivariant(numbered, batch, float64=False)
    assert report.precision == "float32" and 1e-7 < report.absolute < 1e-4


def test_modules_that_round_are_compared_in_single_precision() -> None:
    layer = nn.Linear(DIM, DIM)
    rounding: list[Callable[..., Tensor]] = [
        lambda x, a, v: (layer(x.float()).float() * v[:, :, None]).sum(1),  # parameters not cast
        lambda x, a, v: (x * v[:, :, None]).sum(1).float().exp().to(x),  # a step in between
    ]
    for module in rounding:
        report = assert_permutation_invariant(module, dense_example(DIM))
        assert report.precision == "float32"
    assert assert_permutation_equivariant(layer, dense_example(DIM), call=lambda m, b: m(b[0]))


@pytest.mark.parametrize("first", [7, 12, 20])
def test_a_leak_beyond_a_few_nodes_shows(first: int) -> None:
    def leaking(x: Tensor, adjacency: Tensor, valid: Tensor) -> Tensor:
        number = torch.arange(x.shape[1])[:, None] >= first
        return x + number * valid[:, :, None]

    failure(assert_permutation_equivariant, leaking, dense_example(DIM))
    wide = dense_example(DIM, nodes=first)
    assert wide[0].shape[1] == first and assert_permutation_equivariant(leaking, wide, grow=0)
