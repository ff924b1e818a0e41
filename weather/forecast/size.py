"""Checks of the size of a forecast: time, members and disk."""

import shutil
from pathlib import Path

from refine_core.app.processes.memory import readable_size
from refine_core.errors import InputError
from weather.fields.arguments import whole_number
from weather.forecaster.rollout import MOST_MEMBERS
from weather.io.forecast_layout import ForecastLayout

LONGEST_DAYS = 36525
"""Longest forecast: a century; nanoseconds hold lead times of up to 292 years."""
LEAST_SHARE = {False: 0.5, True: 0.1}
"""Least share of the bytes of a forecast that is left after compression: whole, and rounded."""


def check_count(starts: int, members: int, steps: int, step_hours: int) -> None:
    """Check the numbers of starts, members and steps.

    Raises:
        InputError: The forecast is empty, or larger than any store can be, or a number is not
            whole.
    """
    members, steps = whole_number(members, "members"), whole_number(steps, "steps")
    if members < 1 or steps < 1:
        raise InputError(
            f"Found {members} members and {steps} steps, expected one or more of each."
        )
    days = steps * step_hours / 24
    if days > LONGEST_DAYS:
        raise InputError(f"Found a forecast of {days:g} days, expected at most {LONGEST_DAYS}.")
    if starts * members > MOST_MEMBERS:
        raise InputError(
            f"Found a forecast of {starts} starts and {members} members, expected at most "
            f"{MOST_MEMBERS} members of all starts together: make several smaller ones."
        )


def check_disk(layout: ForecastLayout, out: Path, *, rounded: bool) -> None:
    """Check that a forecast fits on the disk, where a part of it may be already.

    Raises:
        InputError: It does not.
    """
    folder = out.absolute().parent
    while not folder.exists():
        folder = folder.parent
    partial = out.with_name(out.name + ".partial")
    written = sum(file.stat().st_size for file in partial.rglob("*") if file.is_file())
    there = shutil.disk_usage(folder).free + written
    needed = int(LEAST_SHARE[rounded] * layout.nbytes)
    if needed > there:
        starts, members, leads = len(layout.times), len(layout.members), len(layout.leads)
        raise InputError(
            f"A forecast of {starts} starts, {members} members and {leads - 1} steps takes "
            f"{readable_size(needed)} or more on disk, {folder} has {readable_size(there)} left: "
            "ask for fewer, round values (--precision), or choose another place."
        )
