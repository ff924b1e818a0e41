"""The limit of predictability: an ensemble of the very model that made the truth.

It starts from states next to the truth's, and no forecast of the same atmosphere can be better; so
scores are given as multiples of its scores. It may have other starts than the forecasts, and lack
some of their lead times and variables.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from refine_core.app.processes.workers import Workers
from refine_core.errors import InputError
from weather.fields.arrays import Array
from weather.io.canonical import LEAD
from weather.io.forecasts import as_forecast, known_channels
from weather.verification import bootstrap
from weather.verification.baselines import states_before
from weather.verification.measurement import Measurement
from weather.verification.report import Labels, ScoreTable, table_of
from weather.verification.selection import Areas, select_shared
from weather.verification.statistics import Table

NAME = "limit"


class PerfectModel:
    """Measurement of the perfect model, with what forecasts and it share.

    Args:
        dataset: Its ensemble.
        truth: Canonical.
        history: Canonical states for climatology; those up to its first start are used.
        measured: The measurement of the forecasts.
        areas: Regions.
        thresholds: Values above which there is an event, by name of the channel.
        seed: Seed of the bootstrap.
        workers: Processes that share the starts.

    Raises:
        InputError: It has no variable or lead time of the forecasts, or does not fit the truth.
    """

    def __init__(
        self,
        dataset: xr.Dataset,
        truth: xr.Dataset,
        history: xr.Dataset,
        measured: Measurement,
        areas: Areas,
        thresholds: Mapping[str, Sequence[float]],
        seed: int,
        workers: Workers = 1,
    ) -> None:
        forecast = as_forecast(dataset, "The limit")
        if forecast.sizes["number"] < 2:
            raise InputError(
                "The limit has one member: expected an ensemble of the perfect model, as "
                "`refine weather simulate --members` makes it."
            )
        self._measured, self._seed = measured, seed
        shared = [c.name for c in known_channels(forecast) if c in measured.channels]
        leads = np.intersect1d(measured.selection.leads, forecast[LEAD].values)
        for what, common in (("variable", shared), ("lead time", leads)):
            if not len(common):
                raise InputError(
                    f"The limit has no {what} that the forecast has: simulate it for the same."
                )
        self.selection = select_shared(
            {NAME: forecast}, truth, shared, [float(d) for d in leads / np.timedelta64(1, "D")]
        )
        past = states_before(history, self.selection.inits[0])
        self.measurement = Measurement(
            *({NAME: forecast}, truth, past, self.selection, areas, seed, thresholds),
            controls=False,
            workers=workers,
        )

    @property
    def members(self) -> int:
        """Number of members."""
        return self.measurement.records[NAME].members

    def scores(self) -> Table:
        """Scores (B or 1, T, C, R) at the lead times and in the rows of the forecasts."""
        counts = bootstrap.counts_of(self.selection.inits, self._seed)
        found = self.measurement.records[NAME].scores(counts)
        return {name: self._placed(values) for name, values in found.items()}

    def table(self, labels: Labels) -> ScoreTable:
        """Its scores, with their intervals."""
        return table_of(self.scores(), labels)

    def _placed(self, values: Array) -> Array:
        """Scores at the places of those of the forecasts, NaN where there are none."""
        wanted, ours = self._measured, self.measurement
        rows = wanted.rows
        result = np.full(
            (len(values), len(wanted.selection.leads), len(rows), values.shape[-1]), np.nan
        )
        leads = np.searchsorted(wanted.selection.leads, self.selection.leads)
        for place, (name, channels) in enumerate(ours.rows.items()):
            if rows.get(name) == channels:  # of the same variables
                result[:, leads, list(rows).index(name)] = values[:, :, place]
        return result
