"""An ensemble forecast from initial states, into a store or into memory."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from refine_core import __version__
from refine_core.app.processes.memory import check_memory
from refine_core.app.processes.workers import Workers, map_in_workers
from refine_core.app.progress import Progress
from refine_core.device import precision_asked
from refine_core.errors import InputError
from weather.fields.arguments import real_number, whole_number
from weather.forecast.initial_states import ForecastModel, InitialStates
from weather.forecast.size import check_count, check_disk
from weather.forecaster.rollout import member_names, rollout
from weather.io.canonical import LEAD
from weather.io.forecast_layout import ForecastLayout, Layout
from weather.io.forecast_store import ForecastStore

ForecastPart = tuple[int, Sequence[int], NDArray[np.float32], int]
"""Place of the initial time, names of m members, states (m, l, C, H, W), place of the first lead.

The l leads are all 1 + steps, or some of them.
"""
LARGE = 2**30
"""Bytes of a member from which on its leads are written as they are computed."""


@dataclass(frozen=True, eq=False)
class EnsembleRun:
    """An ensemble forecast that is to be made; lead 0 is the initial state.

    Args:
        initial: Initial states and the model.
        times: Initial times.
        members: Names of the members.
        steps: Number of model steps.
        seed: Seed of the ensemble.
        batch: Members in memory at a time, in whole groups that the network computes at once.
        at_once: Leads of a member of more than `LARGE` bytes that are in memory at a time.

    Raises:
        InputError: A number is out of its range.
    """

    initial: InitialStates
    times: Sequence[np.datetime64]
    members: Sequence[int]
    steps: int
    seed: int
    batch: int
    at_once: int = 1

    def __post_init__(self) -> None:
        """Refuse what is empty, or larger than any machine."""
        if not -(2**63) <= whole_number(self.seed, "the seed") < 2**63:
            raise InputError(f"Found the seed {self.seed}, expected one of 64 bits.")
        if whole_number(self.batch, "a batch of") < 1:
            raise InputError(f"Found batches of {self.batch} members, expected one or more.")
        hours = self.initial.model.data.step_hours
        check_count(len(self.times), len(self.members), self.steps, hours)

    @property
    def layout(self) -> ForecastLayout:
        """Where the values stand."""
        model = self.initial.model
        leads = [model.data.step_hours * step for step in range(self.steps + 1)]
        times = np.array(self.times)
        return ForecastLayout(model.grid, model.data.channels, times, self.members, leads)

    @property
    def identity(self) -> dict[str, object]:
        """What the values depend on. Looks at all initial states.

        Raises:
            InputError: A value of them is missing, or impossible in the atmosphere.
        """
        model, states = self.initial.model, self.initial.check(self.times, self.steps)
        about = {"model": model.config.name, "digest": model.digest, "seed": self.seed}
        mixed = precision_asked() == "bf16-mixed"
        about |= {"network_precision": "bf16-mixed"} if mixed else {}
        return about | {"initial_states": states}

    @property
    def history(self) -> dict[str, str]:
        """The attribute that says how the forecast came about.

        It has no date, so that equal forecasts are equal files.
        """
        name, origin = self.initial.model.config.name, Path(self.initial.source.path).name
        return {
            "history": f"refine {__version__}: ensemble forecast by the model {name}, seed "
            f"{self.seed}, from initial states of: {origin}"
        }

    @property
    def large(self) -> bool:
        """Whether leads are written as they are computed."""
        return self._member_bytes > LARGE

    def check_batch(self) -> None:
        """Refuse batches that no memory holds."""
        size = self.initial.model.group if self.large else self._whole_batch
        count, leads = min(size, len(self.members)), 1 + self.steps
        held = min(self.at_once, leads) if self.large else leads
        needed = 2 * count * self._member_bytes * held // leads
        check_memory(needed, f"A batch of {count} members", "give a smaller --batch")

    @property
    def _member_bytes(self) -> int:
        return self.layout.nbytes // (len(self.times) * len(self.members))

    @property
    def _whole_batch(self) -> int:
        group = self.initial.model.group
        return -(-self.batch // group) * group

    def parts(
        self, pending: Collection[tuple[int, int]], progress: Progress, workers: Workers
    ) -> Iterator[ForecastPart]:
        """Compute batches of members, those with a member (time, name) among the pending ones.

        Of large members the leads come one after the other, and this process computes them.
        """
        count = len(self.members)
        size = self.initial.model.group if self.large else self._whole_batch
        batches = [
            (place, names)
            for place in range(len(self.times))
            for names in (self.members[first : first + size] for first in range(0, count, size))
            if any((place, member) in pending for member in names)
        ]
        groups = [(place, group) for place, names in batches for group in self._groups(names)]
        done = len(self.times) * count - sum(len(names) for _, names in batches)
        if self.large:
            yield from self._by_lead(groups, progress, done)
            return
        model = self.initial.model
        work, device = partial(_roll, model, self.steps, self.seed), model.forecaster.device.type
        made = map_in_workers(work, self._given(groups), len(groups), workers, device=device)
        for place, names in batches:
            rolled: dict[int, NDArray[np.float32]] = {}
            for group in self._groups(names):
                rolled.update(zip(group, next(made), strict=True))
                progress.update(done := done + len(group))
            yield place, names, np.stack([rolled[name] for name in names]), 0

    def _by_lead(
        self, groups: Sequence[tuple[int, Sequence[int]]], progress: Progress, done: int
    ) -> Iterator[ForecastPart]:
        """Compute `at_once` leads of a group at a time; `done` members are there."""
        for (place, names), given in zip(groups, self._given(groups), strict=True):
            leads = _leads(self.initial.model, self.steps, self.seed, given)
            for first in range(0, 1 + self.steps, self.at_once):
                values = np.stack([*islice(leads, self.at_once)], 1)
                ready = first + values.shape[1]
                progress.update(done + len(names) * ready / (1 + self.steps))
                yield place, names, values, first
            done += len(names)

    def _groups(self, names: Sequence[int]) -> list[list[int]]:
        """Names by the groups that the network computes at once."""
        groups: dict[int, list[int]] = {}
        for name in names:
            groups.setdefault(name // self.initial.model.group, []).append(name)
        return list(groups.values())

    def _given(self, groups: Iterable[tuple[int, Sequence[int]]]) -> Iterator["_Given"]:
        """What groups (place of the initial time, names) are rolled out from."""
        for place, some in groupby(groups, key=itemgetter(0)):
            time = self.times[place]
            states, forcing = self.initial.states(time), self.initial.forcing(time, self.steps)
            for _, names in some:
                yield states, forcing, time, names


_Given = tuple[NDArray[np.float32], NDArray[np.float32] | None, np.datetime64, Sequence[int]]
"""Initial states, forcing, the initial time, and names of members."""


def _roll(model: ForecastModel, steps: int, seed: int, given: _Given) -> NDArray[np.float32]:
    """(m, 1 + steps, C, H, W) of some members, see `_leads`."""
    return np.stack([*_leads(model, steps, seed, given)], 1)


def _leads(
    model: ForecastModel, steps: int, seed: int, given: _Given
) -> Iterator[NDArray[np.float32]]:
    """(m, C, H, W) of some members at each lead; NaN where an analysis has no such channel."""
    states, forcing, time, names = given
    latest = states.reshape(-1, *states.shape[-4:])[:, -1]
    analysis = latest[np.array(names) % len(latest)]
    missing = len(model.data.channels) - analysis.shape[1]
    blank = ((0, 0), (0, missing), (0, 0), (0, 0))
    yield np.pad(analysis, blank, constant_values=np.nan)
    later = rollout(model, states, time, members=names, steps=steps, seed=seed, forcing=forcing)
    yield from (state.values.numpy() for state in later)


def write_forecast(
    initial: InitialStates,
    times: Sequence[np.datetime64],
    out: Path,
    *,
    members: int = 50,
    steps: int = 10,
    seed: int = 0,
    batch: int = 25,
    workers: Workers = "auto",
    chunks: Mapping[str, int] | None = None,
    precision: float = 0.0,
    layout: Layout = "weatherbench2",
    overwrite: bool = False,
    quiet: bool = False,
) -> None:
    """Write an ensemble forecast, or continue one that an earlier, stopped call began.

    Args:
        initial: Initial states and the model.
        times: Initial times.
        out: The store, ends in .zarr, or in .nc for a netCDF file.
        members: Number of members of the ensemble.
        steps: Number of model steps; lead 0 is written, too.
        seed: Seed of the ensemble.
        batch: Members in memory at a time, in whole groups that the network computes at once.
        workers: Processes that share the groups, of one thread each; "auto" is one for each core
            where that pays. The forecast is the same.
        chunks: See `ForecastStore.open`. A member of more than a GiB is written lead by lead as
            it is computed, by this process alone, each lead in chunks of its own by default.
        precision: Largest rounding error, as a share of a channel's standard deviation; 0 rounds
            nothing.
        layout: Whose names the dimensions have: `weatherbench-x` has `init_time`, `lead_time` and
            `number`.
        overwrite: Whether another forecast at `out` is replaced.
        quiet: Whether to show no progress.

    Raises:
        InputError: There is another forecast at `out`, another process writes it, it is too large
            for the disk, or a state or a member is not physical.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import weather
    >>> import xarray as xr
    >>> from weather.samples import STATES
    >>> states = weather.InitialStates.open(STATES, weather.load("gcm"))
    >>> with TemporaryDirectory() as folder:
    ...     out, times = Path(folder, "made.nc"), states.choose("2019-11-15")
    ...     weather.write_forecast(states, times, out, members=2, steps=1, workers=1, quiet=True)
    ...     with xr.open_dataset(out) as made:
    ...         made["2m_temperature"].sizes
    Frozen({'time': 1, 'number': 2, 'prediction_timedelta': 2, 'latitude': 32, 'longitude': 64})
    """
    chunks = dict(chunks or {})
    check_count(len(times), members, steps, initial.model.data.step_hours)
    run = EnsembleRun(initial, times, range(members), steps, seed, batch, chunks.get(LEAD, 1))
    chunks = {LEAD: 1, **chunks} if run.large else chunks
    if out.resolve() == Path(initial.source.path).resolve():
        raise InputError(f"{out} holds the initial states: choose another name for the forecast.")
    run.check_batch()
    places = run.layout
    check_disk(places, out, rounded=precision > 0)
    store = ForecastStore.open(
        out,
        grid=places.grid,
        channels=places.channels,
        times=places.times,
        members=members,
        leads=places.leads,
        identity=run.identity,
        about=run.history,
        chunks=chunks,
        quanta=_quanta(initial, precision),
        kind=layout,
        overwrite=overwrite,
    )
    try:
        with Progress("forecast", len(times) * members, quiet=quiet) as progress:
            for part in run.parts(set(store.pending()), progress, workers):
                store.write(*part)
        store.finish()
    finally:
        store.close()


def make_forecast(
    initial: InitialStates,
    times: Sequence[np.datetime64],
    *,
    members: int | Sequence[int] = 50,
    steps: int = 10,
    seed: int = 0,
    batch: int = 25,
    workers: Workers = "auto",
    quiet: bool = True,
) -> xr.Dataset:
    """An ensemble forecast in memory, equal to that which `write_forecast` writes.

    Args:
        initial: Initial states and the model.
        times: Initial times.
        members: Number of members, or their names from 0.
        steps: Number of model steps; lead 0 is in the result, too.
        seed: Seed of the ensemble.
        batch: Members that are computed at a time.
        workers: Processes that share the groups, of one thread each; "auto" is one for each core
            where that pays. The forecast is the same.
        quiet: Whether to show no progress.

    Raises:
        InputError: It is too large for the memory, or a state or a member is not physical.
    """
    run = EnsembleRun(initial, times, member_names(members), steps, seed, batch)
    layout = run.layout
    said = f"A forecast of {len(times)} starts, {len(run.members)} members and {steps} steps"
    check_memory(layout.nbytes, said, "write it to a file (weather.write_forecast)")
    run.check_batch()
    made = layout.empty(run.identity | run.history)
    values = {name: np.empty(array.shape, np.float32) for name, array in made.items()}
    every = {(place, name) for place in range(len(times)) for name in run.members}
    with Progress("forecast", len(every), quiet=quiet) as progress:
        row = {name: number for number, name in enumerate(run.members)}
        for place, names, states, first in run.parts(every, progress, workers):
            rows, leads = [row[name] for name in names], slice(first, first + states.shape[1])
            for name, maps in layout.by_variable(states).items():
                values[name][place, rows, leads] = maps
    return made.assign({name: made[name].copy(data=values[str(name)]) for name in made})


def steps_in(lead_days: float, step_hours: int) -> int:
    """Model steps in a length of days.

    Raises:
        InputError: They are not a whole number, or none.
    """
    steps = real_number(lead_days, "lead days") * 24 / step_hours
    if not 1 <= steps < np.inf or steps != int(steps):
        raise InputError(
            f"Found --lead-days {lead_days}, expected a multiple of the model's step of "
            f"{step_hours} hours."
        )
    return int(steps)


def _quanta(initial: InitialStates, precision: float) -> list[float]:
    """A power of two for each channel, at most twice the largest error."""
    if not 0 <= precision < 1:
        raise InputError(f"Found a precision of {precision}, expected one from 0 to below 1.")
    if not precision:
        return []
    step = np.floor(np.log2(2 * precision * initial.model.std.double().numpy()))
    return [float(2.0**power) for power in step]
