"""From a failing relabelling of a batch to the smallest graph and change that fails."""

import itertools

from torch import nn

from graphs.invariance.locate import Calls, first_broken, recorded
from graphs.invariance.plan import Plan, Step, steps
from graphs.invariance.report import Breakage
from graphs.invariance.runner import Graphs, Runner, Trial, View


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
