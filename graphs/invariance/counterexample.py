"""From a failing relabelling of a batch to the smallest counterexample and the submodule at fault.

The counterexample is one graph and one change, such as a swap of two nodes. Forward hooks record
the calls of all submodules on both sides of the change: the first submodule whose outputs differ
while its inputs do not is at fault.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from torch import Tensor, nn

from graphs.invariance.comparison import Tolerance, error, tensors
from graphs.invariance.relabelling import (
    Relabelling,
    Step,
    node_order,
    permutation_steps,
    surrounding_steps,
)
from graphs.invariance.report import Counterexample
from graphs.invariance.runner import Arrangement, Difference, RelabelledBatch, Runner


@dataclass(frozen=True)
class Comparison:
    """Two runs on one batch that should agree.

    Args:
        batch: The batch.
        tied: Whether its nodes were tied.
        start: Its relabelling before.
        end: Its relabelling after.
        permuted: Whether rows are permuted; otherwise what surrounds the nodes changes.
        difference: Between the two.
    """

    batch: RelabelledBatch
    tied: bool
    start: Relabelling
    end: Relabelling
    permuted: bool
    difference: Difference

    @property
    def change(self) -> str:
        """What differs: "relabelling", "padding" or "order of edges"."""
        return "relabelling" if self.permuted else self.batch.surroundings


def find_counterexample(runner: Runner, failure: Comparison) -> Counterexample | None:
    """Find the smallest graph that fails alone, the change that fails, and the submodule.

    Args:
        runner: Runner of the module.
        failure: A comparison that fails.

    Returns:
        None if no graph fails alone, or the module does not take one alone.
    """
    sizes = failure.batch.sizes
    smallest = sorted(range(len(sizes)), key=sizes.__getitem__)
    # A swap of nodes says more than padding that moved, and the surroundings as given more than
    # other ones: what says less is looked at where nothing else fails.
    starts = [failure.batch.identity(), failure.start] if failure.permuted else [failure.start]
    for start, swaps, index in itertools.product(starts, (True, False), smallest):
        one, nodes = failure.batch.only(index), failure.batch.nodes(index)
        if swaps and not failure.permuted:
            continue
        begin, end = start.only(index), failure.end.only(index)
        steps = (
            permutation_steps(begin, _within(begin, end), nodes)
            if failure.permuted
            else surrounding_steps(begin, end, nodes, one.rewriting)
        )
        try:
            found = _first_failing(runner, one, begin, steps, swaps=swaps)
        except Exception:  # the module's own; the failure to report is the lack of equivariance
            continue
        if found is not None:
            before, step, difference = found
            return Counterexample(
                graph=index,
                nodes=sizes[index],
                tied=failure.tied,
                start=node_order(before, nodes),
                change=step.change,
                permutation=step.permutation,
                error=difference.error,
                submodule=_submodule(runner, one, before, step.relabelling),
            )
    return None


def _within(start: Relabelling, end: Relabelling) -> Relabelling:
    """The end's permutation in the start's surroundings; rows that these lack are left out."""
    count = len(start.rows[0])
    return Relabelling((end.rows[0][end.rows[0] < count],), start.added, start.seed)


def _first_failing(
    runner: Runner, one: RelabelledBatch, start: Relabelling, steps: Iterator[Step], *, swaps: bool
) -> tuple[Relabelling, Step, Difference] | None:
    """The first step that fails, from what it starts, and its error.

    Only steps that swap nodes, or only those that do not, count.
    """
    for step in steps:
        if step.swaps is swaps:
            difference = runner.difference(
                runner.run(one, start), runner.run(one, step.relabelling)
            )
            if difference.error.excess > 1:
                return start, step, difference
        start = step.relabelling
    return None


def _submodule(runner: Runner, one: RelabelledBatch, start: Relabelling, end: Relabelling) -> str:
    if runner.root is None:
        return "not known, for the callable is no nn.Module"
    before, after = one.arrange(start), one.arrange(end)
    first = Recording(before, _calls(runner, runner.root, before))
    second = Recording(after, _calls(runner, runner.root, after))
    try:
        wide: Arrangement = one.probe(max(before.width, after.width) + 1)
        third = Recording(wide, _calls(runner, runner.root, wide))
    except Exception:  # the module takes one width only; then a dimension's size has to tell
        third = first
    return first_broken(first, second, third, runner.tolerance)


@dataclass
class Call:
    """One call of a submodule: copies of what went in and came out."""

    kind: str
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor] = field(default_factory=dict)


Calls = dict[tuple[str, int], Call]


@dataclass(frozen=True)
class Recording:
    """A run of a module, and the calls of its submodules by name and count."""

    arrangement: Arrangement
    calls: Calls


@contextmanager
def recorded(module: nn.Module) -> Iterator[Calls]:
    """Record the calls of all submodules by name and count, in order of completion."""
    calls: Calls = {}
    count: Counter[str] = Counter()
    handles, open_calls = [], []

    def enter(submodule: nn.Module, args: object, kwargs: object) -> None:
        open_calls.append(Call(type(submodule).__name__, _copies((args, kwargs))))

    def leave(name: str) -> Callable[..., None]:
        def hook(submodule: nn.Module, args: object, kwargs: object, result: object) -> None:
            call = open_calls.pop()
            call.outputs = _copies(result)
            calls[name, count[name]] = call
            count[name] += 1

        return hook

    for name, submodule in module.named_modules():
        handles.append(submodule.register_forward_pre_hook(enter, with_kwargs=True))
        handles.append(submodule.register_forward_hook(leave(name), with_kwargs=True))
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def first_broken(
    before: Recording, after: Recording, probe: Recording, tolerance: Tolerance
) -> str:
    """Say which submodule is the first whose outputs differ while its inputs do not.

    Args:
        before: Calls on one graph.
        after: Calls on the same graph after the change.
        probe: Calls on a batch of another width, which tells the dimensions that run over nodes.
        tolerance: Tolerance of equality.

    Returns:
        The name and class, or "" if no submodule could be singled out.
    """
    recordings, suspect = (before, after, probe), ""
    for key, call in before.calls.items():
        if not all(key in recording.calls for recording in recordings):
            continue
        calls = [recording.calls[key] for recording in recordings]
        same_inputs = _same(recordings, [each.inputs for each in calls], tolerance)
        same_outputs = _same(recordings, [each.outputs for each in calls], tolerance)
        name = f"'{key[0]}' ({call.kind})" if key[0] else f"the forward code of {call.kind} itself"
        if same_inputs and same_outputs is False:
            return name + (f", which hands {suspect} an input that differs" if suspect else "")
        if same_inputs is False and not suspect:
            suspect = name
    return ""


def _same(
    recordings: tuple[Recording, Recording, Recording],
    sides: list[dict[str, Tensor]],
    tolerance: Tolerance,
) -> bool | None:
    """Whether tensors of two recordings agree in original order; None if that is not known."""
    before, after, probe = (recording.arrangement for recording in recordings)
    one, two, other = sides
    if not one.keys() == two.keys() == other.keys():
        return None
    known = True
    for name, tensor in one.items():
        shape = other[name].shape
        if not tensor.ndim == two[name].ndim == len(shape):
            return None
        a = before.aligned(tensor, shape, probe.width)
        b = after.aligned(two[name], shape, probe.width)
        if a is None or b is None:
            known = False
        elif error(a, b, tolerance).excess > 1:
            return False
    return True if known else None


def _calls(runner: Runner, root: nn.Module, arrangement: Arrangement) -> Calls:
    with recorded(root) as calls:
        runner.outputs(arrangement)
    return calls


def _copies(value: object) -> dict[str, Tensor]:
    """Copies, for later modules may write in place."""
    return {name: tensor.detach().clone() for name, tensor in tensors(value)}
