"""The general circulation model JCM with SPEEDY physics; the only file that imports JAX.

Spectral truncation T31, 8 layers, steps of 30 minutes. Terrain and climatologies of sea surface,
sea ice, land and snow come with the package, at T63, and repeat every year. Insolation is the mean
of a day, so there is no diurnal cycle.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from refine_core.errors import InputError
from weather.fields.arrays import Array
from weather.fields.grid import Grid
from weather.simulation.kept_states import ModelState
from weather.simulation.pressure_levels import Columns

REFERENCE = 1e5
"""Pa; the model divides surface pressure by it."""
MEAN_PRESSURE = 98550.0
"""Pa, mean surface pressure of the Earth (Trenberth and Smith 2005)."""
SCALE_HEIGHT = 8430.0
"""m, of air at 288 K, with which the model starts."""
STEP_MINUTES = 30
PROGNOSTIC = ("vorticity", "divergence", "temperature_variation")
"""What the model predicts by spherical harmonics, besides surface pressure and tracers."""
GRAMS = 1e-6
"""m of water that a gram on a square metre is."""


def version() -> str:
    """Version of the installed JCM.

    Raises:
        InputError: It is not installed, or too old.
    """
    advice = "run `pip install 'jcm>=3.0,<4'`."
    try:
        found = metadata.version("jcm")
    except metadata.PackageNotFoundError:
        raise InputError(
            f"`refine weather simulate` needs the model JCM, which is not installed: {advice}"
        ) from None
    if found.split(".")[0] != "3":
        raise InputError(f"Found JCM {found}, expected version 3: {advice}")
    return found


def name() -> str:
    """What simulations say about their model.

    Raises:
        InputError: It is not installed, or too old.
    """
    return f"jcm {version()}, SPEEDY physics, T31, 8 layers, steps of {STEP_MINUTES} min"


class Speedy:
    """The model, a `weather.simulation.run.Atmosphere`.

    It starts from an atmosphere at rest, of one temperature, whose surface pressure decreases with
    the height of the ground and is perturbed at random.

    Args:
        start: Time at which it starts.
        hours: Hours between outputs; divides a day.
        seed: Seed of the perturbation.
    """

    def __init__(self, start: np.datetime64, hours: int, seed: int) -> None:
        with _quiet():
            import jcm
            from jcm.forcing import ForcingData
            from jcm.model import Model
            from jcm.physics.speedy.speedy_coords import get_speedy_coords
            from jcm.terrain import TerrainData

            data = Path(jcm.__file__).parent / "data" / "bc" / "t63"
            coords = get_speedy_coords(layers=8, spectral_truncation=31)
            terrain = TerrainData.from_file(data / "terrain.nc", coords)
            self._forcing = ForcingData.from_file(
                data / "forcing.nc", coords, align_mode="wrap_year"
            )
            self._model = Model(
                coords=coords,
                terrain=terrain,
                time_step=STEP_MINUTES,
                start_time=str(start.astype("datetime64[s]")),
            )
            self._model.bootstrap_state(_at_rest(self._model, seed))
        self._steps = hours * 60 // STEP_MINUTES
        horizontal = coords.horizontal
        self.grid = Grid(_degrees(horizontal.latitudes), _degrees(horizontal.longitudes))
        self.sigma = _array(coords.vertical.centers)
        self.land = _array(terrain.fmask).T
        gravity = self._model.dycore.constants.grav
        self.surface_geopotential = gravity * _array(_height(self._model)).T

    def advance(self) -> Columns:
        """Simulate a day and return its outputs, the last one for the end of the day."""
        with _quiet():
            # Every step, of which precipitation is the sum.
            outputs = self._model.resume(
                forcing=self._forcing, save_interval=f"{STEP_MINUTES} minutes", total_time="1 day"
            )
        every, physics = self._steps, outputs.physics
        rain = physics["_convection"].precnv + physics["_condensation"].precls
        each = _maps(rain).clip(min=0) * (GRAMS * 60 * STEP_MINUTES)
        columns = _columns(outputs.dynamics, physics["_surface_flux"])
        last = {name: values[every - 1 :: every] for name, values in columns.items()}
        return Columns(**last, precipitation=each.reshape(-1, every, *each.shape[1:]).sum(1))

    def now(self) -> Columns:
        """The outputs of the state that the model is in, one time without precipitation (NaN).

        Near the ground they are those of the step that led to it, as in all outputs.
        """
        from jcm.physics_interface import verify_state

        with _quiet():
            run = self._model.run_state
            air = verify_state(self._model.dycore.to_physics_state(run.dynamics))
        found = {n: v[None] for n, v in _columns(air, run.physics["_surface_flux"]).items()}
        return Columns(**found, precipitation=np.full_like(found["surface_pressure"], np.nan))

    def perturb(self, size: float, generator: np.random.Generator) -> None:
        """Change each harmonic by size times a normal number, as a share of the harmonic.

        Zonal means stay, and so does the part of the pressure that is due to mountains: both are
        climate, a hundredth of which is far more than a hundredth of the weather.
        """
        import jax

        def perturbed(harmonics: ArrayLike, weather: ArrayLike) -> Any:
            values = np.asarray(harmonics)
            change = size * generator.standard_normal(values.shape) * np.asarray(weather)
            change[..., 0, :] = 0  # of wavenumber 0
            return jax.numpy.asarray(values + change, values.dtype)

        run, core = self._model.run_state, self._model.dycore
        air = run.dynamics
        fields = {n: perturbed(getattr(air, n), getattr(air, n)) for n in PROGNOSTIC}
        mountains = core.primitive.orography / SCALE_HEIGHT
        pressure = air.log_surface_pressure
        fields["log_surface_pressure"] = perturbed(pressure, pressure + mountains)
        tracers = {n: perturbed(v, v) for n, v in sorted(air.tracers.items())}
        dynamics = air.replace(**fields, tracers=tracers)
        self._model.restore_state(dynamics, run.physics, time=run.time, step=run.step)

    def state(self) -> ModelState:
        """Everything that `restore` needs to go on from here."""
        import jax

        return [np.asarray(leaf) for leaf in jax.tree.leaves(self._model.run_state)]

    def restore(self, state: ModelState) -> None:
        """Go on from a state of a model with the same arguments."""
        import jax

        leaves = [jax.numpy.asarray(leaf) for leaf in state]
        run = jax.tree.unflatten(jax.tree.structure(self._model.run_state), leaves)
        self._model.restore_state(run.dynamics, run.physics, time=run.time, step=run.step)


def _columns(air: Any, surface: Any) -> dict[str, Array]:
    """The fields of `Columns` but for precipitation, each (..., latitude, longitude)."""
    found = {
        "temperature": air.temperature,
        "u_component_of_wind": air.u_wind,
        "v_component_of_wind": air.v_wind,
        "specific_humidity": air.specific_humidity,
        "geopotential": air.geopotential,
        "surface_pressure": air.normalized_surface_pressure,
        "near_surface_temperature": surface.t0,
        "near_surface_u": surface.u0,
        "near_surface_v": surface.v0,
    }
    maps = {name: _maps(values) for name, values in found.items()}
    return maps | {"surface_pressure": maps["surface_pressure"] * REFERENCE}


def _at_rest(model: Any, seed: int) -> Any:
    """A state of the model at rest, with the mass of the Earth's atmosphere."""
    import jax.numpy as jnp

    grid, state = model.coords.horizontal, model.initial_state(random_seed=seed)
    perturbed = grid.to_nodal(state.log_surface_pressure)
    pressure = jnp.exp(perturbed - _height(model) / SCALE_HEIGHT)
    mean = grid.integrate(pressure) / grid.integrate(jnp.ones_like(pressure))
    pressure = pressure * (MEAN_PRESSURE / REFERENCE) / mean[..., None, None]
    return state.replace(log_surface_pressure=grid.to_modal(jnp.log(pressure)))


def _height(model: Any) -> Any:
    """(longitude, latitude) height of the ground as the model resolves it, in m."""
    return model.coords.horizontal.to_nodal(model.dycore.primitive.orography)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide messages and warnings that libraries address to their own developers."""
    log = logging.getLogger("jcm")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)


def _array(values: ArrayLike) -> Array:
    return np.asarray(values, np.float64)


def _degrees(angles: ArrayLike) -> Array:
    return np.asarray(np.rad2deg(_array(angles)))


def _maps(values: ArrayLike) -> Array:
    """Maps (..., latitude, longitude) from the model's (..., longitude, latitude)."""
    return _array(values).swapaxes(-1, -2)
