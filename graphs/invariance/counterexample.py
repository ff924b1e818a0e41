"""From a failing relabelling of a batch to the smallest graph and change that fails."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from graphs.invariance.comparison import Tolerance, error, tensors
from graphs.invariance.relabelling import Plan, Step, steps
from graphs.invariance.report import Breakage
from graphs.invariance.runner import Aligned, Graphs, Runner, Trial, View


@dataclass
class Call:
    """One call of a submodule: copies of what went in and came out."""

    kind: str
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor] = field(default_factory=dict)


Calls = dict[tuple[str, int], Call]


Run = tuple[Aligned, Calls]


def shrink(runner: Runner, graphs: Graphs, plan: Plan, *, tied: bool) -> Breakage | None:
    """Find the smallest graph that fails alone, the change that fails, and the submodule.

    Args:
        runner: Of the module.
        graphs: The batch.
        plan: A relabelling that fails.
        tied: Whether the nodes of the batch were tied.

    Returns:
        None if no graph fails alone, or the module does not take one alone.
    """
    sizes = graphs.sizes
    smallest = sorted(range(len(sizes)), key=sizes.__getitem__)
    # A swap of nodes says more than padding that moved, which is looked at where no swap fails.
    for swapping, index in itertools.product((True, False), smallest):
        one = graphs.only(index)
        try:
            found = _walk(runner, one, plan.only(index), swapping)
        except Exception:  # the module's own; what is to be told is that it is not equivariant
            continue
        if found is not None:
            before, step, trial = found
            return Breakage(
                graph=index,
                nodes=sizes[index],
                tied=tied,
                start=tuple(before.order[0].tolist()),
                change=step.change,
                permutation=step.permutation,
                error=trial.error,
                submodule=_submodule(runner, one, before, step.plan),
            )
    return None


def _walk(
    runner: Runner, one: Graphs, plan: Plan, swapping: bool
) -> tuple[Plan, Step, Trial] | None:
    """The first step towards a plan that fails, from what it starts, and its error.

    Only steps that swap nodes, or only those that do not, count.
    """
    start = one.identity()
    for step in steps(start, plan, one.fresh):
        if (step.plan.order[0] != start.order[0]).any().item() is swapping:
            before = one.arrange(start)
            trial = runner.compare(one, step.plan, before, runner(before))
            if trial.error.excess > 1:
                return start, step, trial
        start = step.plan
    return None


def _submodule(runner: Runner, one: Graphs, start: Plan, end: Plan) -> str:
    if runner.root is None:
        return "not known, for the callable is no nn.Module"
    width = max(start.width, end.width) + 1
    before, after = one.arrange(start), one.arrange(end)
    first, second = _calls(runner, runner.root, before), _calls(runner, runner.root, after)
    try:
        wide: View = one.probe(width)
        third = _calls(runner, runner.root, wide)
    except Exception:  # the module takes one width only; then a dimension's size has to tell
        wide, third = before, first
    return first_broken((before, first), (after, second), (wide, third), runner.tolerance)


def _calls(runner: Runner, root: nn.Module, view: View) -> Calls:
    with recorded(root) as calls:
        runner(view)
    return calls


@contextmanager
def recorded(module: nn.Module) -> Iterator[Calls]:
    """Record the calls of all submodules by name and count, in order of completion."""
    calls: Calls = {}
    count: Counter[str] = Counter()
    handles, open_calls = [], []

    def enter(each: nn.Module, args: Any, kwargs: Any) -> None:
        open_calls.append(Call(type(each).__name__, _copies((args, kwargs))))

    def leave(name: str) -> Callable[..., None]:
        def hook(each: nn.Module, args: Any, kwargs: Any, result: Any) -> None:
            call = open_calls.pop()
            call.outputs = _copies(result)
            calls[name, count[name]] = call
            count[name] += 1

        return hook

    for name, each in module.named_modules():
        handles.append(each.register_forward_pre_hook(enter, with_kwargs=True))
        handles.append(each.register_forward_hook(leave(name), with_kwargs=True))
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def first_broken(before: Run, after: Run, probe: Run, tolerance: Tolerance) -> str:
    """Say which submodule is the first whose outputs differ while its inputs do not.

    Args:
        before: View and calls of one graph.
        after: Of the same graph relabelled.
        probe: Of a batch of another width, which tells the dimensions that run over nodes.
        tolerance: Of equality.

    Returns:
        The name and class, or "" if no submodule could be singled out.
    """
    runs, stray = (before, after, probe), ""
    for key, call in before[1].items():
        if not all(key in calls for _, calls in runs):
            continue
        fed, gave = (
            _same(runs, [getattr(calls[key], level) for _, calls in runs], tolerance)
            for level in ("inputs", "outputs")
        )
        name = f"'{key[0]}' ({call.kind})" if key[0] else f"the forward code of {call.kind} itself"
        if fed and gave is False:
            return name + (f", which hands {stray} an input that is" if stray else "")
        if fed is False and not stray:
            stray = name
    return ""


def _same(
    runs: tuple[Run, Run, Run], sides: list[dict[str, Tensor]], tolerance: Tolerance
) -> bool | None:
    """Whether the tensors of two runs are one up to relabelling; None if there is no telling."""
    (before, _), (after, _), (wide, _) = runs
    one, two, other = sides
    if not one.keys() == two.keys() == other.keys():
        return None
    known = True
    for name, tensor in one.items():
        shape = other[name].shape
        if not tensor.ndim == two[name].ndim == len(shape):
            return None
        a = before.align(tensor, shape, wide.width)
        b = after.align(two[name], shape, wide.width)
        if a is None or b is None:
            known = False
        elif error(a, b, tolerance).excess > 1:
            return False
    return True if known else None


def _copies(value: Any) -> dict[str, Tensor]:
    """Copies, for later modules may write in place."""
    return {name: tensor.detach().clone() for name, tensor in tensors(value)}
