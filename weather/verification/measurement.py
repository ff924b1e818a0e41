"""Measuring forecasts start by start, so that memory does not grow with the number of starts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from refine_core.app.processes.memory import memory_share
from refine_core.app.processes.workers import Workers, map_in_workers
from weather.fields.arrays import Array, Leads
from weather.fields.channel import Channel
from weather.io import values as reading
from weather.io.compatibility import check_finite, check_size
from weather.io.files import read_errors
from weather.io.values import map_values, quantum_of, read_members, select_levels
from weather.metrics.spectra import zonal_power
from weather.verification.baselines import Climate, History, baseline_forecasts, coverage
from weather.verification.cross_variable import VariableSet, set_statistics, variable_sets
from weather.verification.forecast_record import ForecastRecord, Records, StartRecord
from weather.verification.selection import Areas, Selection
from weather.verification.statistics import (
    Table,
    diagnostics,
    dry_statistics,
    event_statistics,
    forecast_statistics,
    joint_statistics,
    shuffled,
)

LEAST_MEMBERS = 20
"""Members of the ensembles of baselines, at least."""
HELD_BUDGETS = 4
"""Arrays of `weather.io.values.BUDGET` bytes that truth and history may take in memory, if that is
no more than a quarter of what a process may take."""
REMEDY = (
    "complete it, leave out the variable, or verify it alone, with a --mask that is zero there"
)
"""What to do about missing values."""
TRUTH, TWIN = "truth", "shuffled: "
"""Name of the truth, and what that of a shuffled twin begins with, among forecasts."""


@dataclass
class _Variable:
    """One variable while it is measured.

    Args:
        channels: Its channels.
        rows: Their places among all.
        truth: (time, [level], latitude, longitude).
        history: Its past, if that is long enough.
        quantum: Of which values of the truth are multiples; 0 if of none that is known.
    """

    channels: list[Channel]
    rows: slice
    truth: xr.DataArray
    history: History | None
    quantum: float


@dataclass
class _Start:
    """One variable from one start: the truth, and forecasts that are read lead by lead.

    Args:
        initial: (L, H, W) state at the start, if there is one.
        truths: (T, L, H, W).
        readers: Members at one lead time after the other, by name of the forecast.
    """

    initial: Array | None
    truths: Array
    readers: dict[str, Iterator[Array]]


@dataclass
class _Pair:
    """All variables of one pair of start and lead time, to be scored together.

    Args:
        start: Number of the start.
        lead: Number of the lead time.
        records: What is found from the start.
        truth: (L, H, W) of each variable.
        climate: Climatology of each variable, if there is one.
        forecasts: (M, L, H, W) of each variable, by name.
    """

    start: int
    lead: int
    records: dict[str, StartRecord]
    truth: list[Array] = field(default_factory=list)
    climate: list[Climate] = field(default_factory=list)
    forecasts: dict[str, list[Array]] = field(default_factory=dict)

    def scale(self) -> tuple[Array, Array] | None:
        """(C, H, W) means and standard deviations of the climatology, if there is one."""
        if not self.climate:
            return None
        means, deviations = ([getattr(c, n) for c in self.climate] for n in ("mean", "deviation"))
        return np.concatenate(means), np.concatenate(deviations)


class Measurement:
    """Records of forecasts and baselines, filled by iteration.

    Args:
        forecasts: Results of `as_forecast` by name; the first is the one to verify.
        truth: Canonical.
        past: Canonical states for the baselines, all of them before the first start.
        selection: What to verify.
        areas: Regions.
        seed: Seed of ties in ranks, and of shuffled members.
        thresholds: Values above which there is an event, by name of the channel.
        controls: Whether to measure baselines and shuffled twins, too.
        workers: Processes that share the starts; records do not depend on it.
    """

    def __init__(
        self,
        forecasts: Mapping[str, xr.Dataset],
        truth: xr.Dataset,
        past: xr.Dataset,
        selection: Selection,
        areas: Areas,
        seed: int,
        thresholds: Mapping[str, Sequence[float]] | None = None,
        *,
        controls: bool = True,
        workers: Workers = 1,
    ) -> None:
        self.selection, self._workers = selection, workers
        self.has_starts = bool(np.isin(selection.inits, truth["time"].values).all())
        """Whether the truth holds every start, which persistence needs."""
        self.has_seasons, self.has_pairs = coverage(
            past["time"].values, selection.inits, selection.leads, selection.verified
        )
        """Whether the past holds the seasons, and (T,) pairs of states, see `coverage`."""
        self.channels = [c for group in selection.channels.values() for c in group]
        self.sets = variable_sets(self.channels)
        self.rows = {c.name: [c.name] for c in self.channels} | {
            each.name: [self.channels[place].name for place in each.places] for each in self.sets
        }
        """Names of rows of the records, and the channels of each."""
        self._measured = _StartMeasurement(
            *(forecasts, truth, past, selection, areas, seed, thresholds or {}, controls),
            *(self.has_starts, self.has_seasons, self.has_pairs, self.channels, self.sets),
        )
        self.records = {name: self._empty() for name in forecasts}
        """Records by name: forecasts first, then the baselines."""
        self.twins: dict[str, ForecastRecord] = {}
        """Records of the shuffled twins of the forecasts: scores of the joint structure."""
        self.truth = self._empty()
        """Spectra of the truth."""

    def __len__(self) -> int:
        """Steps of the iteration."""
        return len(self.selection.inits)

    def __iter__(self) -> Iterator[None]:
        """Measure everything, start by start."""
        found = map_in_workers(self._measured, range(len(self)), len(self), self._workers)
        for start, records in enumerate(found):
            for name, record in records.items():
                self._of(name).add(start, record)
            yield

    def _of(self, name: str) -> ForecastRecord:
        """The record of a forecast, baseline or twin, or of the truth."""
        if name == TRUTH:
            return self.truth
        if name.startswith(TWIN):
            return self.twins.setdefault(name.removeprefix(TWIN), self._empty())
        return self.records.setdefault(name, self._empty(name))

    def _empty(self, name: str = "") -> ForecastRecord:
        dressed = name == "dressed persistence"
        return ForecastRecord(self.selection.verified & (self.has_pairs if dressed else True))


@dataclass(frozen=True, eq=False)
class _StartMeasurement:
    """Measures all forecasts from one start, whichever process it is called in.

    Data sets that are read from files travel to another process as their names.
    """

    forecasts: Mapping[str, xr.Dataset]
    truth: xr.Dataset
    past: xr.Dataset
    selection: Selection
    areas: Areas
    seed: int
    thresholds: Mapping[str, Sequence[float]]
    controls: bool
    has_starts: bool
    has_seasons: bool
    has_pairs: NDArray[np.bool_]
    channels: list[Channel]
    sets: list[VariableSet]

    def __getstate__(self) -> dict[str, object]:
        """All but what is in memory of the files."""
        return {name: value for name, value in vars(self).items() if name != "_variables"}

    def __call__(self, start: int) -> Records:
        """Records by the name of forecasts, baselines and twins, and of the truth.

        Raises:
            InputError: Something cannot be read, or a value is missing.
        """
        indices = np.flatnonzero(self.selection.verified[start])
        init, leads = self.selection.inits[start], self.selection.leads[indices]
        records: dict[str, StartRecord] = {}
        opened = [self._start(variable, init, leads) for variable in self._variables]
        for place, lead in enumerate(indices):
            pair = _Pair(start, int(lead), records)
            for variable, known in zip(self._variables, opened, strict=True):
                self._measure_variable(variable, known, place, pair)
            self._record_sets(pair)
        return records

    @cached_property
    def _variables(self) -> list[_Variable]:
        """Truth and history of all variables, in memory as far as they fit."""
        selection = self.selection
        valid = (selection.inits[:, None] + selection.leads)[selection.verified]
        times = np.unique(np.append(valid, selection.inits if self.has_starts else valid[:0]))
        variables: list[_Variable] = []
        budget = min(HELD_BUDGETS * reading.BUDGET, memory_share() // 4)
        for channels in selection.channels.values():
            with read_errors(f"The truth: {channels[0].variable}"):
                truth = select_levels(self.truth, channels).sel(time=times)
                if truth.nbytes <= budget:
                    budget -= truth.nbytes
                    truth = truth.load()
            history = None
            if self.has_seasons:
                past = select_levels(self.past, channels)
                history = History(past, times, self.areas.fill, budget)
                budget -= history.held
            first = self.channels.index(channels[0])
            rows = slice(first, first + len(channels))
            quantum = quantum_of(self.truth[channels[0].variable])
            variables.append(_Variable(channels, rows, truth, history, quantum))
        return variables

    def _start(self, variable: _Variable, init: np.datetime64, leads: Leads) -> _Start:
        """One variable from one start."""
        fill, channels = self.areas.fill, variable.channels
        with read_errors(f"The truth: {channels[0].variable}"):
            truths = fill(map_values(variable.truth.sel(time=init + leads)))
            initial = None
            if self.has_starts:
                initial = fill(map_values(variable.truth.sel(time=init)))
        check_finite("The truth", truths, channels, init + leads, REMEDY)
        if initial is not None:
            check_finite("The truth", initial[None], channels, init, REMEDY)
        count = len(self.forecasts) * len(self.selection.channels)
        size = min(reading.BUDGET, memory_share() // (8 * count))
        readers = {
            name: read_members(select_levels(forecast, channels).sel(time=init), leads, size)
            for name, forecast in self.forecasts.items()
        }
        return _Start(initial, truths, readers)

    def _measure_variable(
        self, variable: _Variable, known: _Start, place: int, pair: _Pair
    ) -> None:
        """Measure one variable of one pair, the `place`th of its start."""
        init, lead = self.selection.inits[pair.start], self.selection.leads[pair.lead]
        truth, history = known.truths[place], variable.history
        forecasts = self._read(variable, known.readers, init, lead)
        climate = history.climate(init + lead) if history else None
        if pair.start == 0:
            past = {"The history": climate.mean[None]} if climate else {}
            for name, members in (forecasts | past).items():
                check_size(name, members, truth, variable.channels)
        self._diagnose(variable, pair, truth, forecasts)
        if self.controls:
            most = max(LEAST_MEMBERS, next(iter(self.forecasts.values())).sizes["number"])
            forecasts |= baseline_forecasts(
                *(history, climate, known.initial, init, lead, most),
                paired=bool(self.has_pairs[pair.lead]),
            ) | self._twins(forecasts, variable, pair)
        self._record(variable, pair, truth, climate, forecasts)
        pair.truth.append(truth)
        pair.climate += [climate] if climate else []
        for name, members in forecasts.items():
            pair.forecasts.setdefault(name, []).append(members)

    def _read(
        self,
        variable: _Variable,
        readers: Mapping[str, Iterator[Array]],
        init: np.datetime64,
        lead: np.timedelta64,
    ) -> dict[str, Array]:
        """The members (M, L, H, W) of forecasts at the next lead time."""
        found, start = {}, init.astype("datetime64[h]")
        for name, reader in readers.items():
            with read_errors(f"{name}: {variable.channels[0].variable} from {start}"):
                found[name] = self.areas.fill(next(reader))
            check_finite(name, found[name], variable.channels, init + lead, REMEDY)
        return found

    def _twins(
        self, forecasts: Mapping[str, Array], variable: _Variable, pair: _Pair
    ) -> dict[str, Array]:
        """The shuffled twins of ensembles."""
        seed = [self.seed, variable.rows.start, pair.start, pair.lead, 1]
        return {
            TWIN + name: shuffled(members, np.random.default_rng(seed))
            for name, members in forecasts.items()
            if len(members) > 1
        }

    def _record(
        self,
        variable: _Variable,
        pair: _Pair,
        truth: Array,
        climate: Climate | None,
        forecasts: Mapping[str, Array],
    ) -> None:
        """Record the statistics of one variable of one pair of start and lead time."""
        for name, members in forecasts.items():
            record = self._of(pair, name)
            record.members = max(record.members, len(members))
            table = joint_statistics(members, truth, self.areas)
            if not name.startswith(TWIN):
                table |= forecast_statistics(members, truth, climate, self.areas, variable.quantum)
                if variable.channels[0].variable.startswith("total_precipitation"):
                    table |= dry_statistics(members, truth, self.areas)
                self._record_events(record, variable, pair, truth, members)
            record.put_statistics(pair.lead, variable.rows, table)

    def _record_events(
        self,
        record: StartRecord,
        variable: _Variable,
        pair: _Pair,
        truth: Array,
        members: Array,
    ) -> None:
        """Record the values above thresholds."""
        for level, channel in enumerate(variable.channels):
            row, one = variable.rows.start + level, slice(level, level + 1)
            for value in self.thresholds.get(channel.name, ()):
                name = f">{value:g}"
                table = event_statistics(
                    members[:, one], truth[one], name, value, self.areas, variable.quantum
                )
                record.put_statistics(pair.lead, slice(row, row + 1), table)

    def _record_sets(self, pair: _Pair) -> None:
        """Record what is scored over several variables."""
        truth, scale = np.concatenate(pair.truth), pair.scale()
        for name, variables in pair.forecasts.items():
            members = np.concatenate(variables, 1)
            for row, chosen in enumerate(self.sets, len(self.channels)):
                table = set_statistics(chosen, members, truth, scale, self.areas)
                self._of(pair, name).put_statistics(pair.lead, slice(row, row + 1), table)

    def _of(self, pair: _Pair, name: str) -> StartRecord:
        """The record of a forecast, baseline or twin, or of the truth."""
        rows = len(self.channels) + len(self.sets)
        return pair.records.setdefault(name, StartRecord(len(self.selection.leads), rows))

    def _diagnose(
        self, variable: _Variable, pair: _Pair, truth: Array, forecasts: Mapping[str, Array]
    ) -> None:
        """Add the diagnostics of one variable of one pair of start and lead time."""
        for name, members in forecasts.items():
            ties = np.random.default_rng([self.seed, variable.rows.start, pair.start, pair.lead])
            table = diagnostics(members, truth, self.areas, ties)
            self._of(pair, name).put_diagnostics(pair.lead, variable.rows, table)
        spectrum: Table = {"spectrum": self.areas.rows @ zonal_power(truth)}
        self._of(pair, TRUTH).put_diagnostics(pair.lead, variable.rows, spectrum)
