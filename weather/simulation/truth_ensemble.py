"""A truth ensemble: the model that made a store, started again from states next to its own.

No forecast of that atmosphere can be better, so its scores are the limit of predictability. A
member starts from a kept state of the store, each wave of whose prognostic variables is changed by
p times a normal number, as a share of the wave, and is stored like the truth: on its grid, with
its variables, rounded to the same quanta, so that truth and members differ in their weather only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from refine_core.app.parallel import Job, Tick, run_jobs
from refine_core.errors import InputError
from weather.fields.channel import Channel
from weather.fields.grid import Grid
from weather.fields.regrid import Conservative
from weather.forecast.size import check_disk
from weather.io.canonical import canonical, grid_of
from weather.io.files import open_files
from weather.io.forecast_layout import ForecastLayout
from weather.io.forecast_store import ForecastStore
from weather.simulation.kept_states import KeptStates
from weather.simulation.pressure_levels import UPPER, Columns
from weather.simulation.run import Atmosphere, SimulationSettings, require_finite
from weather.simulation.simulation_store import QUANTA, RAIN, rounded

Build = Callable[[np.datetime64, int, int], Atmosphere]
SECONDS_A_DAY = 1.3
"""CPU-seconds that a simulated day takes, roughly."""


@dataclass(frozen=True)
class EnsembleSettings:
    """The members that start from each state.

    Args:
        members: Their number.
        days: How many days each is simulated.
        perturbation: p, relative to the size of each wave.
        seed: A member depends on it, on its start and its number only.

    Raises:
        InputError: A number is out of its range.
    """

    members: int
    days: int
    perturbation: float
    seed: int

    def __post_init__(self) -> None:
        if self.members < 2:
            raise InputError(
                f"Found --members {self.members}, expected 2 or more: the limit is an ensemble."
            )
        if self.days < 1 or not 0 < self.perturbation < 1 or self.seed < 0:
            raise InputError(
                f"Found --days {self.days}, --perturbation {self.perturbation} and --seed "
                f"{self.seed}, expected at least 1, a share between 0 and 1, and at least 0."
            )


@dataclass(frozen=True, eq=False)
class SimulatedStore:
    """A store of `refine weather simulate`, and the states that were kept beside it.

    Args:
        path: The store.
        settings: What was simulated.
        grid: The grid of its maps.
        last: Its last time.
    """

    path: Path
    settings: SimulationSettings
    grid: Grid
    last: np.datetime64

    @classmethod
    def open(cls, path: Path, model: str) -> "SimulatedStore":
        """A store of a model.

        Raises:
            InputError: It is not there, was not simulated here, or by another version.
        """
        dataset = open_files(str(path))
        found, settings = dataset.attrs.get("source"), _settings(dataset)
        if settings is None:
            raise InputError(
                f"{path} was not made by `refine weather simulate` as it is now, which keeps "
                "settings and states to start members from: simulate a store with --states-every."
            )
        if found != model:
            raise InputError(
                f"{path} was simulated by {found}, found {model}: members would be of another "
                "atmosphere. Install that version, or simulate the store again."
            )
        times = dataset["time"].values
        return cls(path, settings, grid_of(canonical(dataset)), times[-1].astype("datetime64[ns]"))

    @property
    def states(self) -> KeptStates:
        """The states of the model at some of its times."""
        return KeptStates(self.path)

    @property
    def channels(self) -> list[Channel]:
        """Its maps, by variable, then by level."""
        levels = {name: self.settings.levels for name in UPPER}
        return [
            Channel(name, level)
            for name in self.settings.variables()
            for level in levels.get(name, (None,))
        ]

    @property
    def quanta(self) -> list[float]:
        """What values of each map are multiples of."""
        return [QUANTA[channel.variable] for channel in self.channels]

    def layout(self, times: Sequence[np.datetime64], settings: EnsembleSettings) -> ForecastLayout:
        """Where the values of an ensemble from some times stand."""
        leads = range(0, 24 * settings.days + 1, self.settings.interval_hours)
        members = range(settings.members)
        return ForecastLayout(self.grid, self.channels, np.array(times), members, leads)

    def choose(self, wanted: Sequence[str], days: int) -> list[np.datetime64]:
        """Times of kept states with so many days behind them in the store.

        Args:
            wanted: See `KeptStates.choose`.
            days: Length of the run from each.

        Raises:
            InputError: A text is no time, or there is no such state.
        """
        return self.states.choose(wanted, self.last - np.timedelta64(days, "D"))


def simulate_ensemble(
    truth: Path,
    starts: Sequence[str],
    settings: EnsembleSettings,
    model: str,
    build: Build,
    out: Path,
    *,
    workers: int = 2,
    overwrite: bool = False,
    quiet: bool = False,
) -> None:
    """Simulate a truth ensemble into a store of forecasts; a stopped call is continued.

    Args:
        truth: The simulated store.
        starts: See `KeptStates.choose`.
        settings: The members.
        model: Name and version of the model.
        build: Makes the model from its start, the hours between outputs and the seed; travels by
            pickle if there are several workers.
        out: The store, ends in .zarr. Lead 0 is the perturbed state; it has no precipitation, and
            near the ground it is that of the state that was kept.
        workers: Processes that simulate members, on which results do not depend.
        overwrite: Whether another store there is replaced, once the new one is complete.
        quiet: Whether to show no progress.

    Raises:
        InputError: The store or a start does not fit, there is another store at `out`, or it is
            too large for the disk.
    """
    store = SimulatedStore.open(truth, model)
    times = store.choose(starts, settings.days)
    if out.resolve() == truth.resolve():
        raise InputError(f"{out} holds the truth: choose another name for the ensemble.")
    layout = store.layout(times, settings)
    check_disk(layout, out, rounded=True)
    about = {"model": model, "perturbation": settings.perturbation, "seed": settings.seed}
    result = ForecastStore.open(
        out,
        grid=store.grid,
        channels=store.channels,
        times=layout.times,
        members=settings.members,
        leads=layout.leads,
        identity=about | {"truth": truth.name, "simulation": str(store.settings)},
        quanta=store.quanta,
        overwrite=overwrite,
    )
    try:
        jobs = [
            Job(result.mark(*each), SECONDS_A_DAY * settings.days, partial(_simulate, *each))
            for each in result.pending()
        ]
        share = partial(_Members, store, settings, times, build, out)
        run_jobs(jobs, share, workers, title="simulate members", quiet=quiet)
        result.finish()
    finally:
        result.close()


class _Members:
    """What all members share in a process: the model, and the store under way."""

    def __init__(
        self,
        truth: SimulatedStore,
        settings: EnsembleSettings,
        times: Sequence[np.datetime64],
        build: Build,
        out: Path,
    ) -> None:
        of = truth.settings
        self.truth, self.settings, self.times = truth, settings, times
        self.atmosphere = build(of.model_start(), of.interval_hours, of.seed)
        self.regrid = Conservative(self.atmosphere.grid, truth.grid)
        self.store = ForecastStore(out, truth.layout(times, settings), truth.quanta)

    def simulate(self, place: int, member: int, tick: Tick) -> NDArray[np.float32]:
        """(1, leads, C, H, W) of a member."""
        model, time, settings = self.atmosphere, self.times[place], self.settings
        model.restore(self.truth.states.read(time))
        hours = int(time.astype("datetime64[h]").astype(np.int64))
        seeds = [settings.seed, hours % 2**64, member]  # hours before 1970 are negative
        model.perturb(settings.perturbation, np.random.default_rng(seeds))
        states = [self._maps(model.now())]
        for day in range(settings.days):
            columns = model.advance()
            require_finite(columns, time.astype("datetime64[D]") + 1 + day)
            states.append(self._maps(columns))
            tick(1 / settings.days)
        return np.concatenate(states)[None]

    def _maps(self, columns: Columns) -> NDArray[np.float32]:
        """(n, C, H, W) of outputs of the model, rounded as the truth is."""
        of = self.truth.settings
        maps = columns.maps(self.atmosphere.sigma, np.array(of.levels), RAIN[of.interval_hours])
        found = [rounded(name, self.regrid(maps[name])) for name in of.variables()]
        return np.concatenate([m if m.ndim == 4 else m[:, None] for m in found], 1)


def _simulate(place: int, member: int, shared: _Members, tick: Tick) -> None:
    shared.store.write(place, [member], shared.simulate(place, member, tick))


def _settings(dataset: xr.Dataset) -> SimulationSettings | None:
    """What was simulated, as the attributes of a store say; None if they do not."""
    attrs = dataset.attrs
    try:
        numbers = ("days", "spin_up_days", "interval_hours", "seed")
        levels = tuple(int(level) for level in attrs["levels"].split())
        known = {name: int(attrs[name]) for name in numbers}
        return SimulationSettings(start=attrs["start"], levels=levels, **known)
    except (KeyError, AttributeError, TypeError, ValueError):
        return None
