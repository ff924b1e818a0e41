"""Assertions that a module commutes with relabelling of nodes, and does not see the padding."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from graphs.invariance.comparison import Inputs, Level, Tolerance
from graphs.invariance.counterexample import Comparison, find_counterexample
from graphs.invariance.padded_batch import Padding
from graphs.invariance.report import Finding, Kind, PermutationError, Report
from graphs.invariance.runner import RelabelledBatch, Runner, prepare
from refine_core.noise import derive


def assert_permutation_equivariant(
    module: Callable[..., object],
    batch: object,
    *,
    call: Callable[..., object] | None = None,
    node_inputs: Sequence[Tensor] = (),
    edge_inputs: Sequence[Tensor] = (),
    graph_inputs: Sequence[Tensor] = (),
    outputs: Level | None = None,
    relabellings: int = 8,
    grow: int = 2,
    padding: Padding | None = None,
    ties: bool = True,
    float64: bool | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    seed: int = 0,
) -> Report:
    """Assert that outputs are relabelled as inputs are: `f(s x) = s f(x)`.

    There are two findings. Each relabelling permutes the rows of every graph at random, in padded
    batches those of padding too. Separately, what surrounds the nodes changes while these keep
    their order: padding is rewritten and grows, and edges of PyG batches are reordered. In every
    second relabelling all nodes are tied, with equal features on a cycle, so that a choice by
    index shows.

    The module is copied, and always runs with the same random numbers. Those drawn for each graph
    do no harm; those drawn for each node, dropout included, are rightly reported: call `eval()`,
    and pass noise as `node_inputs`, or test the law of samples with `assert_exchangeable`.

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
            dataclasses. By default inferred from shapes: (b, n, ...), (b, n, n, ...) or neither;
            for PyG (N, ...), (E, ...) in the order of edges, or neither.
        relabellings: How many to try.
        grow: Rows of padding added; 0 for modules that work for one n only.
        padding: What is written there: "features", large random numbers in x and node inputs, and
            no edges; "all", random adjacency and edge inputs too, which a module has to mask
            itself; or "zero". By default "features", but "zero" in a GraphBatch, which promises
            zeros.
        ties: Whether to tie nodes.
        float64: Whether to run in double precision, where rounding hides no error above 1e-8. The
            module and all inputs are cast, but not what `call` holds. By default, it is done where
            the module runs so and rounds nothing to less; `Report.precision` says whether it was.
        atol: Absolute error allowed, by default 1e-10, in single precision 1e-5.
        rtol: Error allowed over the largest entry, by default 1e-8, in single precision 1e-4.
        seed: Seed of relabellings and padding.

    Returns:
        The worst errors.

    Raises:
        PermutationError: An AssertionError with the worst errors, the smallest graph and change
            that fails, and the first submodule at fault; or an output is NaN where nodes are, or
            infinite everywhere, so that nothing can be compared.
        InputError: The batch or the outputs have shapes that do not fit together.

    >>> layer = torch.nn.Linear(4, 2)
    >>> batch = torch.randn(3, 5, 4), torch.ones(3, 5, 5), torch.ones(3, 5) > 0
    >>> assert_permutation_equivariant(lambda x, a, valid: a @ layer(x), batch).relabellings
    8
    """
    inputs = Inputs(tuple(node_inputs), tuple(edge_inputs), tuple(graph_inputs))
    given = prepare(batch, inputs, padding)

    def runner_of(dtype: torch.dtype) -> Runner:
        absolute, relative = (1e-10, 1e-8) if dtype == torch.float64 else (1e-5, 1e-4)
        tolerance = Tolerance(
            absolute if atol is None else atol, relative if rtol is None else rtol
        )
        return Runner(module, call, dtype, outputs, tolerance)

    runner, double = runner_of(torch.float64), given.cast(torch.float64)
    if float64 or (float64 is None and runner.computes_in_double(double)):
        given = double
    else:
        runner = runner_of(torch.get_default_dtype())
    compared: list[Comparison] = []
    seeds = [derive(seed, number) for number in range(relabellings)]
    if not ties:
        compared = _compare(runner, given, seeds, grow, tied=False)
    else:
        compared = _compare(runner, given, seeds[::2], grow, tied=False)
        compared += _compare(runner, given.tied(), seeds[1::2], grow, tied=True)
    report = _report(runner, compared, relabellings)
    if report.verdict:
        raise _failure(runner, report, compared)
    return report


def assert_permutation_invariant(
    module: Callable[..., object],
    batch: object,
    *,
    call: Callable[..., object] | None = None,
    node_inputs: Sequence[Tensor] = (),
    edge_inputs: Sequence[Tensor] = (),
    graph_inputs: Sequence[Tensor] = (),
    relabellings: int = 8,
    grow: int = 2,
    padding: Padding | None = None,
    ties: bool = True,
    float64: bool | None = None,
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
    graphs.invariance.report.PermutationError: <lambda> is not permutation invariant...
    """
    return assert_permutation_equivariant(
        module,
        batch,
        call=call,
        node_inputs=node_inputs,
        edge_inputs=edge_inputs,
        graph_inputs=graph_inputs,
        outputs="graph",
        relabellings=relabellings,
        grow=grow,
        padding=padding,
        ties=ties,
        float64=float64,
        atol=atol,
        rtol=rtol,
        seed=seed,
    )


def _compare(
    runner: Runner, batch: RelabelledBatch, seeds: Sequence[int], grow: int, *, tied: bool
) -> list[Comparison]:
    """Compare runs on a batch: for every second seed other surroundings, for each a relabelling.

    Raises:
        PermutationError: Outputs are not finite, so nothing can be compared.
    """
    found: list[Comparison] = []
    start = batch.identity()
    plain = runner.run(batch, start)
    if not runner.levels:
        runner.determine_levels(batch, plain.outputs)
    if undefined := runner.undefined(plain):
        ties = " with tied nodes (`ties=False` leaves these out)" if tied else ""
        raise PermutationError(
            runner.name,
            Report(_kind(runner), (), 0, runner.precision),
            f"cannot be checked: {undefined} where nodes are{ties}; expected finite numbers: mend "
            "the module, or give a batch for which it returns them.",
        )
    before, around = start, plain
    for number, seed in enumerate(seeds):
        other = batch.surrounded(derive(seed, 1), grow) if number % 2 == 0 else None
        if other is not None:
            before, around = other, runner.run(batch, other)
            gap = runner.difference(plain, around)
            found.append(Comparison(batch, tied, start, before, False, gap))
        after = before.random(derive(seed, 0))
        gap = runner.difference(around, runner.run(batch, after))
        found.append(Comparison(batch, tied, before, after, True, gap))
    return found


def _report(runner: Runner, compared: Sequence[Comparison], relabellings: int) -> Report:
    findings = []
    for change in dict.fromkeys(each.change for each in reversed(compared)):  # relabelling first
        worst = max(each.difference for each in compared if each.change == change)
        findings.append(Finding(change, worst.error, worst.output))
    return Report(_kind(runner), tuple(findings), relabellings, runner.precision)


def _failure(runner: Runner, report: Report, compared: Sequence[Comparison]) -> PermutationError:
    """Describe every finding that fails, on the batch as given rather than with tied nodes."""
    counterexamples = []
    for finding in report.findings:
        wrong = [
            each
            for each in compared
            if each.change == finding.change and each.difference.error.excess > 1
        ]
        if wrong:
            worst = max(wrong, key=lambda each: (not each.tied, each.difference))
            counterexamples.append(find_counterexample(runner, worst))
    alone = [str(each) for each in counterexamples if each is not None]
    lines = [
        f"{report.verdict}; allowed {runner.tolerance}, {report.relabellings} relabellings in "
        f"{report.precision}.",
        *(f"{finding}." for finding in report.findings),
        *(alone or ["No graph of the batch shows it in a batch of its own."]),
    ]
    return PermutationError(
        runner.name, report, "\n".join(lines), [each for each in counterexamples if each]
    )


def _kind(runner: Runner) -> Kind:
    return "invariance" if runner.level == "graph" else "equivariance"
