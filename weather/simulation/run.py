"""Simulating training data with a general circulation model, day by day."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from refine_core.app.progress import Progress
from refine_core.errors import InputError
from weather.fields.arrays import Array, Times
from weather.fields.grid import Grid, equiangular
from weather.fields.regrid import Conservative
from weather.simulation.kept_states import ModelState
from weather.simulation.pressure_levels import Columns
from weather.simulation.simulation_store import (
    CHUNK,
    QUANTA,
    RAIN,
    Maps,
    SimulationStore,
    rounded,
)

SIZE = (32, 64)
"""Latitudes and longitudes of the store."""
RESTART_DAYS = 5
"""Simulated days after which the restart file is written."""
LEVELS = (250, 500, 700, 850)
"""hPa."""
LOWEST = 50
"""hPa, about the highest layer of the model."""
YEARS = (1700, 2200)
"""First and last year whose times can be stored in nanoseconds."""


class Atmosphere(Protocol):
    """A model of the atmosphere that can be stopped and continued.

    Attributes:
        grid: The global grid (h, w) of its maps.
        sigma: (L,) pressure of its layers as fractions of the surface pressure, ascending.
        land: (h, w) fractions of land.
        surface_geopotential: (h, w) geopotential of the ground, in m2 s-2.
    """

    grid: Grid
    sigma: Array
    land: Array
    surface_geopotential: Array

    def advance(self) -> Columns:
        """Simulate a day and return its outputs, the last one for the end of the day."""

    def now(self) -> Columns:
        """The outputs of the state that the model is in, one time without precipitation (NaN)."""

    def perturb(self, size: float, generator: np.random.Generator) -> None:
        """Change the waves of what the model predicts by size times normal numbers, relatively."""

    def state(self) -> ModelState:
        """Everything that `restore` needs to go on from here."""

    def restore(self, state: ModelState) -> None:
        """Go on from a state of a model with the same arguments."""


@dataclass(frozen=True)
class SimulationSettings:
    """What to simulate.

    Args:
        start: First day of the store, e.g. "2000-01-01".
        days: Number of days in the store.
        spin_up_days: Days simulated before the first, from an atmosphere at rest, and not stored.
        interval_hours: Hours between maps; the first one is at 00 UTC of the first day.
        seed: Seed of the state at the beginning of the spin-up.
        levels: Pressure levels, in hPa, ascending.

    Raises:
        InputError: A number is out of its range, or the start is no day.
    """

    start: str
    days: int
    spin_up_days: int
    interval_hours: int
    seed: int
    levels: tuple[int, ...] = LEVELS

    def __post_init__(self) -> None:
        try:
            year = int(str(np.datetime64(self.start, "D"))[:4])
        except ValueError:
            year = 0
        if not YEARS[0] <= year < YEARS[1]:
            raise InputError(
                f"Found --start {self.start}, expected a day between {YEARS[0]} and {YEARS[1]} "
                "such as 2000-01-01."
            )
        if self.days < 1 or self.spin_up_days < 0 or not 0 <= self.seed < 2**31:
            raise InputError(
                f"Found --days {self.days}, --spin-up-days {self.spin_up_days} and --seed "
                f"{self.seed}, expected at least 1, 0 and 0."
            )
        if not 1 <= self.interval_hours <= 24 or 24 % self.interval_hours:
            raise InputError(
                f"Found --interval-hours {self.interval_hours}, expected hours that divide a day: "
                "1, 2, 3, 4, 6, 8, 12 or 24."
            )

        known = range(LOWEST, 1101)
        if not set(self.levels) <= set(known) or sorted(set(self.levels)) != list(self.levels):
            raise InputError(
                f"Found --levels {' '.join(map(str, self.levels))}, expected ascending pressures "
                f"of {LOWEST} to 1100 hPa such as 250 500 700 850."
            )

    def times(self) -> Times:
        """(T,) of the maps."""
        count = self.days * 24 // self.interval_hours
        step = np.timedelta64(self.interval_hours, "h")
        return np.datetime64(self.start, "ns") + np.arange(count) * step

    def variables(self) -> tuple[str, ...]:
        """Names of the maps."""
        others = set(RAIN.values()) - {RAIN[self.interval_hours]}
        return tuple(name for name in QUANTA if name not in others)

    def model_start(self) -> np.datetime64:
        """Time at which the model starts; its first output is a step later."""
        hours = 24 * self.spin_up_days + self.interval_hours
        return np.datetime64(self.start, "s") - np.timedelta64(hours, "h")


def simulate(
    settings: SimulationSettings,
    model: str,
    build: Callable[[np.datetime64, int, int], Atmosphere],
    out: Path,
    *,
    states_every: int = 0,
    overwrite: bool = False,
    quiet: bool = False,
) -> None:
    """Simulate into the store `out`; an earlier call that was stopped is continued.

    Args:
        settings: What to simulate; a stopped run continues only with the same.
        model: Name and version of the model.
        build: Makes the model from its start, the hours between outputs and the seed.
        out: The store, ends in .zarr.
        states_every: Days after which the state of the model is kept, in the folder `out` with
            `.states` behind; 0 keeps none.
        overwrite: Whether another store there is replaced, once the new one is complete.
        quiet: Whether to show no progress.

    Raises:
        InputError: There is a store already, or the model became unstable.
    """
    identity = {"source": model, **asdict(settings)}
    identity["levels"] = " ".join(map(str, settings.levels))
    stored = settings.times(), settings.variables(), settings.levels
    store = SimulationStore(out, *stored, identity, overwrite=overwrite)
    try:
        _simulate(settings, build, store, states_every, quiet)
        store.finish()
    finally:
        store.close()


def _simulate(
    settings: SimulationSettings,
    build: Callable[[np.datetime64, int, int], Atmosphere],
    store: SimulationStore,
    states_every: int,
    quiet: bool,
) -> None:
    """Fill a store, from where it was left."""
    atmosphere = build(settings.model_start(), settings.interval_hours, settings.seed)
    grid = equiangular(*SIZE)
    regrid = Conservative(atmosphere.grid, grid)
    if not store.begun:
        store.begin(
            grid,
            {
                "land_sea_mask": regrid(atmosphere.land),
                "geopotential_at_surface": regrid(atmosphere.surface_geopotential),
            },
        )
    _run(settings, atmosphere, regrid, store, states_every, quiet)


def _run(
    settings: SimulationSettings,
    atmosphere: Atmosphere,
    regrid: Conservative,
    store: SimulationStore,
    states_every: int,
    quiet: bool,
) -> None:
    """Fill a store, from its restart file on."""
    done, state, maps = store.read_restart()
    if done:
        atmosphere.restore(state)
    rain = RAIN[settings.interval_hours]
    total, per_day = settings.spin_up_days + settings.days, 24 // settings.interval_hours
    with Progress("simulate", total, quiet=quiet) as bar:
        bar.update(done)
        for day in range(done + 1, total + 1):
            columns = atmosphere.advance()
            first = np.datetime64(settings.start, "D") - settings.spin_up_days
            require_finite(columns, first + (day - 1))
            row = (day - settings.spin_up_days) * per_day
            if row > 0:
                fresh = columns.maps(atmosphere.sigma, np.array(settings.levels), rain)
                maps = _append(maps, {n: rounded(n, regrid(m)) for n, m in fresh.items()})
            stored = day - settings.spin_up_days
            if states_every and stored > 0 and stored % states_every == 0:
                store.keep_state(settings.times()[row - 1], atmosphere.state())
            full = row > 0 and (row % CHUNK == 0 or day == total)
            if full:
                store.write(row - len(maps["temperature"]), maps)
                maps = {}
            # After a stop between the two, the same chunk is written once more.
            if full or day % RESTART_DAYS == 0:
                store.write_restart(day, atmosphere.state(), maps)
            bar.update(day)


def _append(old: Maps, new: Maps) -> Maps:
    return {n: np.concatenate([old[n], new[n]]) for n in new} if old else new


def require_finite(columns: Columns, day: np.datetime64) -> None:
    """Raise InputError if a value of a day is missing."""
    if not all(np.isfinite(values).all() for values in vars(columns).values()):
        raise InputError(f"The simulation became unstable on {day}: try another --seed.")
