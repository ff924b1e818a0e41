"""Measuring forecasts start by start: memory does not grow with the number of starts."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import xarray as xr

from weather.fields.arrays import Array
from weather.fields.channel import Channel
from weather.io.compatibility import check_finite, check_size
from weather.io.files import read_errors
from weather.io.values import load_if_small, map_values, read_members, select_levels
from weather.metrics.spectra import zonal_power
from weather.verification.baselines import Climate, History, covers, forecasts
from weather.verification.plan import Plan
from weather.verification.records import Records
from weather.verification.statistics import Areas, statistics, tallies

LEAST = 20
"""Members of the ensembles that baselines make, at least."""


class Measurement:
    """Records of forecasts and baselines, filled by iteration.

    Args:
        named: Forecasts by name, of `align.as_forecast`; the first is the one to verify.
        truth: Canonical.
        past: Canonical states for the baselines, all of them known at the first start.
        plan: What to verify.
        areas: Regions.
        seed: Of ties in ranks.
    """

    def __init__(
        self,
        named: Mapping[str, xr.Dataset],
        truth: xr.Dataset,
        past: xr.Dataset,
        plan: Plan,
        areas: Areas,
        seed: int,
    ) -> None:
        self._named, self._truth, self._past = named, truth, past
        self._plan, self._areas, self._seed = plan, areas, seed
        self._members = max(LEAST, next(iter(named.values())).sizes["number"])
        self.persistence = bool(np.isin(plan.inits, truth["time"].values).all())
        """Whether the truth holds every start."""
        self.covered, self.paired = covers(past["time"].values, plan.inits, plan.leads, plan.there)
        """Whether the past has the seasons, and (T,) pairs of states, see `baselines.covers`."""
        self.channels = [c for group in plan.channels.values() for c in group]
        self.records = {name: self._empty() for name in named}
        """By name: forecasts first, then the baselines."""
        self.truth = self._empty()
        """Spectra of the truth."""

    def __len__(self) -> int:
        """Steps of the iteration."""
        return len(self._plan.channels) * len(self._plan.inits)

    def __iter__(self) -> Iterator[None]:
        """Measure everything, variable by variable and start by start."""
        plan = self._plan
        valid = (plan.inits[:, None] + plan.leads)[plan.there]
        times = np.unique(np.append(valid, plan.inits if self.persistence else valid[:0]))
        for channels in plan.channels.values():
            with read_errors(f"The truth: {channels[0].variable}"):
                truth = load_if_small(select_levels(self._truth, channels).sel(time=times))
            past = select_levels(self._past, channels) if self.covered else None
            history = None if past is None else History(past, times)
            for start in range(len(plan.inits)):
                self._measure(channels, start, truth, history)
                yield

    def _empty(self, name: str = "") -> Records:
        dressed = name == "dressed persistence"
        there = self._plan.there & (self.paired if dressed else True)
        return Records(there, len(self.channels))

    def _measure(
        self,
        channels: Sequence[Channel],
        start: int,
        truth: xr.DataArray,
        history: History | None,
    ) -> None:
        """Measure one variable of one start."""
        init, used = self._plan.inits[start], np.flatnonzero(self._plan.there[start])
        leads, variable = self._plan.leads[used], channels[0].variable
        with read_errors(f"The truth: {variable}"):
            truths = map_values(truth.sel(time=init + leads))
            begin = map_values(truth.sel(time=init)) if self.persistence else None
        check_finite("The truth", truths, channels, init + leads)
        drawn = {
            name: read_members(select_levels(f, channels).sel(time=init), leads)
            for name, f in self._named.items()
        }
        for lead, number, then in zip(leads, used, truths, strict=True):
            given = {}
            for name, reading in drawn.items():
                with read_errors(f"{name}: {variable} from {np.datetime64(init, 'h')}"):
                    given[name] = next(reading)
                check_finite(name, given[name], channels, init + lead)
            climate = history.climate(init + lead) if history else None
            if start == 0:
                past = {"The history": climate.mean[None]} if climate else {}
                for name, state in (given | past).items():
                    check_size(name, state, then, channels)
            paired = bool(self.paired[number])
            simple = forecasts(history, climate, begin, init, lead, self._members, paired=paired)
            self._keep(channels, (start, int(number)), then, climate, given, simple)

    def _keep(
        self,
        channels: Sequence[Channel],
        pair: tuple[int, int],
        truth: Array,
        climate: Climate | None,
        given: dict[str, Array],
        simple: dict[str, Array],
    ) -> None:
        """Measure one variable of one pair of start and lead time."""
        first = self.channels.index(channels[0])
        where = slice(first, first + len(channels))
        for name, state in (given | simple).items():
            record = self.records.setdefault(name, self._empty(name))
            record.members = max(record.members, len(state))
            record.put(*pair, where, statistics(state, truth, climate, self._areas))
        for name, state in given.items():
            ties = np.random.default_rng([self._seed, first, *pair])
            table = tallies(state, truth, climate, self._areas, ties)
            self.records[name].add(pair[1], where, table)
        self.truth.add(pair[1], where, {"spectrum": self._areas.weight @ zonal_power(truth)})
