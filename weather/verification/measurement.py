"""Measuring forecasts start by start, so that memory does not grow with the number of starts."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import xarray as xr

from weather.fields.arrays import Array
from weather.fields.channel import Channel
from weather.io.compatibility import check_finite, check_size
from weather.io.files import read_errors
from weather.io.values import load_if_small, map_values, read_members, select_levels
from weather.metrics.spectra import zonal_power
from weather.verification.baselines import Climate, History, baseline_forecasts, coverage
from weather.verification.forecast_record import ForecastRecord
from weather.verification.selection import Selection
from weather.verification.statistics import Areas, diagnostics, forecast_statistics

LEAST_MEMBERS = 20
"""Members of the ensembles of baselines, at least."""


class Measurement:
    """Records of forecasts and baselines, filled by iteration.

    Args:
        forecasts: Results of `as_forecast` by name; the first is the one to verify.
        truth: Canonical.
        past: Canonical states for the baselines, all of them before the first start.
        selection: What to verify.
        areas: Regions.
        seed: Seed of ties in ranks.
    """

    def __init__(
        self,
        forecasts: Mapping[str, xr.Dataset],
        truth: xr.Dataset,
        past: xr.Dataset,
        selection: Selection,
        areas: Areas,
        seed: int,
    ) -> None:
        self._forecasts, self._truth, self._past = forecasts, truth, past
        self._selection, self._areas, self._seed = selection, areas, seed
        self._members = max(LEAST_MEMBERS, next(iter(forecasts.values())).sizes["number"])
        self.has_starts = bool(np.isin(selection.inits, truth["time"].values).all())
        """Whether the truth holds every start, which persistence needs."""
        self.has_seasons, self.has_pairs = coverage(
            past["time"].values, selection.inits, selection.leads, selection.verified
        )
        """Whether the past holds the seasons, and (T,) pairs of states, see `coverage`."""
        self.channels = [c for group in selection.channels.values() for c in group]
        self.records = {name: self._empty() for name in forecasts}
        """Records by name: forecasts first, then the baselines."""
        self.truth = self._empty()
        """Spectra of the truth."""

    def __len__(self) -> int:
        """Steps of the iteration."""
        return len(self._selection.channels) * len(self._selection.inits)

    def __iter__(self) -> Iterator[None]:
        """Measure everything, variable by variable and start by start."""
        selection = self._selection
        valid = (selection.inits[:, None] + selection.leads)[selection.verified]
        times = np.unique(np.append(valid, selection.inits if self.has_starts else valid[:0]))
        for channels in selection.channels.values():
            with read_errors(f"The truth: {channels[0].variable}"):
                truth = load_if_small(select_levels(self._truth, channels).sel(time=times))
            history = None
            if self.has_seasons:
                history = History(select_levels(self._past, channels), times)
            for start in range(len(selection.inits)):
                self._measure(channels, start, truth, history)
                yield

    def _empty(self, name: str = "") -> ForecastRecord:
        dressed = name == "dressed persistence"
        verified = self._selection.verified & (self.has_pairs if dressed else True)
        return ForecastRecord(verified, len(self.channels))

    def _measure(
        self,
        channels: Sequence[Channel],
        start: int,
        truth: xr.DataArray,
        history: History | None,
    ) -> None:
        """Measure one variable of one start."""
        init = self._selection.inits[start]
        indices = np.flatnonzero(self._selection.verified[start])
        leads, variable = self._selection.leads[indices], channels[0].variable
        with read_errors(f"The truth: {variable}"):
            truths = map_values(truth.sel(time=init + leads))
            initial = map_values(truth.sel(time=init)) if self.has_starts else None
        check_finite("The truth", truths, channels, init + leads)
        readers = {
            name: read_members(select_levels(forecast, channels).sel(time=init), leads)
            for name, forecast in self._forecasts.items()
        }
        for lead, index, state in zip(leads, indices, truths, strict=True):
            forecasts = {}
            for name, reader in readers.items():
                with read_errors(f"{name}: {variable} from {np.datetime64(init, 'h')}"):
                    forecasts[name] = next(reader)
                check_finite(name, forecasts[name], channels, init + lead)
            climate = history.climate(init + lead) if history else None
            if start == 0:
                past = {"The history": climate.mean[None]} if climate else {}
                for name, members in (forecasts | past).items():
                    check_size(name, members, state, channels)
            paired = bool(self.has_pairs[index])
            baselines = baseline_forecasts(
                history, climate, initial, init, lead, self._members, paired=paired
            )
            pair = (start, int(index))
            self._record(channels, pair, state, climate, forecasts, baselines)

    def _record(
        self,
        channels: Sequence[Channel],
        pair: tuple[int, int],
        truth: Array,
        climate: Climate | None,
        forecasts: dict[str, Array],
        baselines: dict[str, Array],
    ) -> None:
        """Record the statistics of one variable of one pair of start and lead time."""
        first = self.channels.index(channels[0])
        where = slice(first, first + len(channels))
        for name, members in (forecasts | baselines).items():
            record = self.records.setdefault(name, self._empty(name))
            record.members = max(record.members, len(members))
            table = forecast_statistics(members, truth, climate, self._areas)
            record.put_statistics(*pair, where, table)
        for name, members in forecasts.items():
            ties = np.random.default_rng([self._seed, first, *pair])
            table = diagnostics(members, truth, climate, self._areas, ties)
            self.records[name].add_diagnostics(pair[1], where, table)
        spectrum = self._areas.weight @ zonal_power(truth)
        self.truth.add_diagnostics(pair[1], where, {"spectrum": spectrum})
