"""An ensemble forecast from states in a file into a store."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from refine_core.app.progress import Progress
from refine_core.errors import InputError
from weather.forecast.initial_states import InitialStates
from weather.io.forecast_store import ForecastStore

LONGEST_DAYS = 36525
"""Longest forecast: a century; nanoseconds hold lead times of up to 292 years."""
MOST_STATES = 10**8
"""Most states of a forecast: tens of terabytes at the least."""


def write_forecast(
    initial: InitialStates,
    times: Sequence[np.datetime64],
    out: Path,
    *,
    members: int = 50,
    steps: int = 10,
    seed: int = 0,
    batch: int = 25,
    overwrite: bool = False,
    quiet: bool = False,
) -> None:
    """Write an ensemble forecast, or continue one that an earlier, stopped call began.

    Args:
        initial: Initial states and the model.
        times: Initial times.
        out: The store, ends in .zarr, or in .nc for a netCDF file.
        members: Number of members of the ensemble.
        steps: Number of model steps.
        seed: Seed of the ensemble.
        batch: Members in memory at a time, in whole groups that the network computes at once.
        overwrite: Whether another forecast at `out` is replaced.
        quiet: Whether to show no progress.

    Raises:
        InputError: There is another forecast at `out`, or a state or a member is not physical.
    """
    if batch < 1:
        raise InputError(f"Found batches of {batch} members, expected one or more.")
    _check_size(len(times), members, steps, initial.model.data.step_hours)
    if out.resolve() == Path(initial.source.path).resolve():
        raise InputError(f"{out} holds the initial states: choose another name for the forecast.")
    model = initial.model
    identity = {"model": model.config.name, "digest": model.digest, "seed": seed}
    identity["initial_states"] = initial.check(times, steps)
    store = ForecastStore.open(
        out,
        grid=model.grid,
        channels=model.channels,
        times=np.array(times),
        members=members,
        leads=[model.data.step_hours * (k + 1) for k in range(steps)],
        identity=identity,
        overwrite=overwrite,
    )
    pending = set(store.pending())
    batch = -(-batch // model.group) * model.group
    parts = [range(first, min(first + batch, members)) for first in range(0, members, batch)]
    with Progress("forecast", len(times) * members, quiet=quiet) as progress:
        for place, time in enumerate(times):
            for names in parts:
                if pending & {(place, member) for member in names}:
                    states = model.rollout(
                        initial.states(time),
                        time,
                        members=names,
                        steps=steps,
                        seed=seed,
                        forcing=initial.forcing(time, steps),
                    )
                    values = np.stack([state.values.numpy() for state in states], 1)
                    store.write(place, names, values)
                progress.update(place * members + names[-1] + 1)
    store.finish()


def _check_size(starts: int, members: int, steps: int, step_hours: int) -> None:
    """Refuse a forecast that is empty, or larger than any store can be."""
    if members < 1 or steps < 1:
        raise InputError(
            f"Found {members} members and {steps} steps, expected one or more of each."
        )
    days = steps * step_hours / 24
    if days > LONGEST_DAYS:
        raise InputError(f"Found a forecast of {days:g} days, expected at most {LONGEST_DAYS}.")
    if starts * members * steps > MOST_STATES:
        raise InputError(
            f"Found a forecast of {starts} starts, {members} members and {steps} steps, expected "
            f"at most {MOST_STATES} states in all: make several smaller ones."
        )
