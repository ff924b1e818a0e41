"""Assertions that a module commutes with relabelling of nodes."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from graphs.invariance.comparison import Kind, Tolerance
from graphs.invariance.counterexample import shrink
from graphs.invariance.relabelling import Plan, random_plan
from graphs.invariance.report import PermutationError, Report
from graphs.invariance.runner import Graphs, Runner, Trial, prepare


def assert_permutation_equivariant(
    module: Callable[..., Any],
    batch: Any,
    *,
    call: Callable[..., Any] | None = None,
    node_inputs: Sequence[Tensor] = (),
    edge_inputs: Sequence[Tensor] = (),
    graph_inputs: Sequence[Tensor] = (),
    outputs: Kind | None = None,
    trials: int = 8,
    grow: int = 2,
    refill: bool | None = None,
    ties: bool = True,
    float64: bool = False,
    atol: float | None = None,
    rtol: float | None = None,
    seed: int = 0,
) -> Report:
    """Assert that outputs are relabelled as inputs are: `f(s x) = s f(x)`.

    Each trial relabels the nodes of every graph at random. In padded batches it also spreads them
    over more rows, so that padding stands between nodes, and refills the padding with garbage; in
    PyG batches it shuffles the edges. Every second trial ties all nodes, so that an order picked
    by index shows: equal features, on a cycle.

    The module is copied, and is run with one seed, so a draw for each graph is harmless, while a
    draw for each node, dropout included, is rightly reported: call `eval()`, and hand noise in by
    `node_inputs`, or test the law of samples with `assert_exchangeable`.

    Args:
        module: An nn.Module, a method of one, or any callable. By default it is called as
            `module(x, adjacency, valid, *inputs)` if the batch is a tuple, else as
            `module(batch, *inputs)`, with node, edge and graph inputs in this order.
        batch: `(x (b, n, ...), adjacency (b, n, n, ...), valid (b, n) bool)`, a `GraphBatch`, or a
            PyG `Batch` or `Data`.
        call: Another way to call, which receives the module, the batch and the further inputs,
            e.g. `lambda module, batch: module(batch.x, batch.edge_index, batch.batch)`.
        node_inputs: Tensors (b, n, ...), for PyG (N, ...), relabelled along, e.g. noise.
        edge_inputs: Tensors (b, n, n, ...), for PyG (E, ...), relabelled along.
        graph_inputs: Tensors (b, ...), e.g. times or classes.
        outputs: Level of the outputs: a tensor, or tensors inside of tuples, mappings and
            dataclasses. By default told by shape: (b, n, ...), (b, n, n, ...) or neither; for PyG
            (N, ...), (E, ...) in the order of edges, or neither.
        trials: Relabellings.
        grow: Rows of padding added; 0 for modules that work for one n only.
        refill: Whether padding becomes garbage, else zeros. By default garbage, but zeros in a
            GraphBatch, which promises them.
        ties: Whether to tie nodes.
        float64: Whether to run in double precision. Converts the module and all inputs, but not
            what `call` holds, nor tensors that the module itself makes by `.float()`.
        atol: Absolute error allowed, by default 1e-5, in double precision 1e-10.
        rtol: Error allowed over the largest entry, by default 1e-4, in double precision 1e-8.
        seed: Of relabellings and garbage.

    Returns:
        The worst errors.

    Raises:
        PermutationError: An AssertionError with the worst errors, the smallest graph and change
            that fails, and the first submodule that breaks; or an output is NaN where nodes are,
            or infinite everywhere, so that nothing can be told.
        InputError: The batch or the outputs have shapes that do not fit together.

    >>> layer = torch.nn.Linear(4, 2)
    >>> x, adjacency, valid = torch.randn(3, 5, 4), torch.ones(3, 5, 5), torch.ones(3, 5) > 0
    >>> assert_permutation_equivariant(
    ...     lambda x, adjacency, valid: adjacency @ (layer(x) * valid[:, :, None]),
    ...     (x, adjacency, valid), refill=False).trials
    8
    """
    levels = (tuple(node_inputs), tuple(edge_inputs), tuple(graph_inputs))
    graphs = prepare(batch, levels, refill)
    graphs = graphs.cast(torch.float64) if float64 else graphs
    tolerance = Tolerance(
        (1e-10 if float64 else 1e-5) if atol is None else atol,
        (1e-8 if float64 else 1e-4) if rtol is None else rtol,
    )
    runner = Runner(module, call, float64, outputs, tolerance)
    kind = "invariance" if outputs == "graph" else "equivariance"
    cases = [graphs, graphs.tied()] if ties else [graphs]
    found: list[tuple[Trial, Graphs, Plan]] = []
    for turn, case in enumerate(cases):
        start = case.arrange(case.identity())
        expected = runner(start)
        if not runner.kinds:
            runner.settle(graphs, expected)
        if undefined := runner.undefined(start, expected):
            tied = " with tied nodes (`ties=False` leaves these out)" if turn else ""
            none = Report(kind, torch.inf, torch.inf, len(found))
            raise PermutationError(
                runner.name,
                none,
                f"{undefined} where nodes are{tied}, so that nothing can be told; expected finite "
                "numbers: mend the module, or give a batch for which it returns them.",
            )
        for trial in range(turn, trials, len(cases)):
            plan = random_plan(case.identity(), seed + trial, grow, padded=case.padded)
            found.append((runner.compare(case, plan, start, expected), case, plan))
    report = Report(
        kind,
        max(trial.error.absolute for trial, _, _ in found),
        max(trial.error.relative for trial, _, _ in found),
        trials,
    )
    wrong = [each for each in found if each[0].error.excess > 1]
    if wrong:  # shown on the batch as given, if it fails there
        worst, case, plan = max(wrong, key=lambda each: (each[1] is graphs, each[0].error))
        breakage = shrink(runner, case, plan, tied=case is not graphs)
        why = (
            f"worst absolute error {report.absolute:.3g}, relative {report.relative:.3g}, in "
            f"{worst.output}; allowed {tolerance}, {trials} relabellings.\n"
            f"{breakage or 'No graph of the batch shows it in a batch of its own.'}"
        )
        raise PermutationError(runner.name, report, why, breakage)
    return report


def assert_permutation_invariant(
    module: Callable[..., Any],
    batch: Any,
    *,
    call: Callable[..., Any] | None = None,
    node_inputs: Sequence[Tensor] = (),
    edge_inputs: Sequence[Tensor] = (),
    graph_inputs: Sequence[Tensor] = (),
    trials: int = 8,
    grow: int = 2,
    refill: bool | None = None,
    ties: bool = True,
    float64: bool = False,
    atol: float | None = None,
    rtol: float | None = None,
    seed: int = 0,
) -> Report:
    """Assert that outputs do not change when inputs are relabelled: `f(s x) = f(x)`.

    Arguments, result and errors are those of `assert_permutation_equivariant`.

    >>> x, adjacency, valid = torch.randn(3, 5, 4), torch.ones(3, 5, 5), torch.ones(3, 5) > 0
    >>> assert_permutation_invariant(lambda x, *_: x[:, 0], (x, adjacency, valid))
    Traceback (most recent call last):
    ...
    graphs.invariance.report.PermutationError: <lambda> is not permutation invariant: ...
    """
    return assert_permutation_equivariant(
        module,
        batch,
        call=call,
        node_inputs=node_inputs,
        edge_inputs=edge_inputs,
        graph_inputs=graph_inputs,
        outputs="graph",
        trials=trials,
        grow=grow,
        refill=refill,
        ties=ties,
        float64=float64,
        atol=atol,
        rtol=rtol,
        seed=seed,
    )
