"""An ensemble forecast from states in a file into a store."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from refine_core.app.progress import Progress
from refine_core.errors import InputError
from weather.forecast.initial_states import InitialStates
from weather.io.forecast_store import ForecastStore


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
    """Write an ensemble forecast; members that an earlier, stopped call has written are kept.

    Args:
        initial: Initial states and the model.
        times: Initial times.
        out: The store, ends in .zarr, or in .nc for a netCDF file.
        members: Of the ensemble.
        steps: Of the model.
        seed: Of the ensemble.
        batch: Members in memory at a time, in whole groups that the network computes at once.
        overwrite: Whether another forecast at `out` is replaced.
        quiet: Whether to show no progress.

    Raises:
        InputError: There is another forecast at `out`, or a state or a member is not physical.
    """
    if members < 1 or batch < 1 or steps < 1:
        raise InputError(
            f"Found {members} members in batches of {batch} and {steps} steps, expected one or "
            "more of each."
        )
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
