"""The command that says what a model will need: `refine weather plan`."""

from typing import TYPE_CHECKING

from refine_core.app.report import Column, number, table
from refine_core.config.ranges import PositiveInt
from weather.config import WeatherConfig

if TYPE_CHECKING:
    from weather.planning import ResourcePlan


def plan(
    config: WeatherConfig,
    grid: str = "",
    like: str = "",
    interval_hours: PositiveInt | None = None,
    members: PositiveInt = 50,
    lead_days: float = 10.0,
    starts: PositiveInt = 20,
    batch: PositiveInt = 25,
    memory: str = "",
) -> None:
    """Say what every stage will need: parameters, memory, disk and time; runs none of them.

    Of the data only coordinates and times are read. Times follow from small pieces of the work,
    which are timed on this machine; it takes minutes where codes are sampled.

    Args:
        config: The configuration of data, model and training.
        grid: Rows and columns of a grid, such as 121x240, in place of that of the data.
        like: In place of a grid, a file that is on it, or a model.
        interval_hours: Hours between the states of the data, where these cannot be opened; by
            default a step of the model.
        members: Number of members of the forecast.
        lead_days: Length of the forecast.
        starts: Number of initial times of the forecast.
        batch: Number of members that are forecast at a time.
        memory: Memory of the machine, such as 64GB, for which it says what to lower; by default
            what a process may take here, by `ulimit` and control groups, too.
    """
    from refine_core.app.processes.memory import parse_size
    from weather.cli.data import chosen_grid
    from weather.forecast.run import steps_in
    from weather.planning import plan

    made = plan(
        config,
        grid=chosen_grid(grid, like) if grid or like else None,
        interval_hours=interval_hours,
        members=members,
        steps=steps_in(lead_days, config.data.step_hours),
        starts=starts,
        batch=batch,
        memory=parse_size(memory) if memory else None,
    )
    _print(made)


def _print(made: "ResourcePlan") -> None:
    from refine_core.app.processes.memory import readable_size

    (rows, columns), counts = made.data.grid.shape, made.data.windows
    print(
        f"{made.data.channels} channels of {rows} x {columns} points, {made.data.states} states; "
        f"{counts['train']} windows to learn from, {counts['validation']} to validate on\n"
    )
    heads = [
        Column("stage"),
        Column("parameters", form=number),
        Column("memory", align="right"),
        Column("disk", align="right"),
        Column("time", align="right"),
    ]
    lines = [
        (s.name, s.parameters, readable_size(s.memory), readable_size(s.disk), _time(s.seconds))
        for s in (*made.stages, made.total)
    ]
    print(table(heads, lines), end="\n\n")
    threads = f"{made.threads} thread{'s' if made.threads > 1 else ''}"
    print(
        f"Memory is that of one process at its peak; there are {readable_size(made.memory)}. "
        f"Times are of this machine, measured now, by {threads}, as if nothing else ran; reading "
        "the source is not in them."
    )
    for line in (*made.notes, *made.problems()):
        print(line)


def _time(seconds: float) -> str:
    """Seconds in words.

    >>> _time(0.25), _time(59), _time(5400), _time(400000)
    ('0.25 s', '59 s', '1.5 h', '4.6 days')
    """
    for unit, length in (("days", 86400 * 2), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / {'days': 86400}.get(unit, length):.2g} {unit}"
    return f"{seconds:.2g} s"
