"""`refine weather forecast`: an ensemble, written as it goes."""

from pathlib import Path

import numpy as np

from refine_core.app.options import arguments
from refine_core.errors import InputError
from weather.forecast.initial_states import InitialStates
from weather.forecast.run import make
from weather.model import WeatherModel, load


def forecast(argv: list[str]) -> None:
    """Roll an ensemble forward from states in a file, and write it as Zarr or netCDF."""

    def run(
        model: str,
        init: str,
        time: tuple[str, ...] = (),
        members: int = 50,
        lead_days: float = 10.0,
        seed: int = 0,
        batch: int = 25,
        out: Path = Path("forecast.zarr"),
        overwrite: bool = False,
    ) -> None:
        """Make a forecast.

        A stopped run goes on where it was, and ends with the same file.

        Args:
            model: A shipped model's name, a run's folder or a file.
            init: Path or URL of initial states: Zarr, netCDF or GRIB.
            time: Initial times, e.g. 2003-11-01T00; by default the last in the file. Two times
                and a step, as 2003-11-01/2003-11-11/48h, stand for all between.
            members: Of the ensemble.
            lead_days: Length of the forecast.
            seed: Of the ensemble; member m depends on it, on the initial time and on m only.
            batch: Members at a time, in whole groups that the network sees at once.
            out: A .zarr store, or a .nc file.
            overwrite: Whether an existing file is replaced.
        """
        loaded = load(model)
        initial = InitialStates.open(init, loaded)
        times = initial.choose(time)
        make(
            loaded,
            initial,
            times,
            members,
            _steps(loaded, lead_days),
            seed,
            batch,
            out,
            overwrite=overwrite,
        )
        print(f"forecast: {out}")

    arguments(run, argv, "refine weather forecast")


def _steps(model: WeatherModel, lead_days: float) -> int:
    """Model steps in a length of days."""
    steps = lead_days * 24 / model.config.data.step_hours
    if not 1 <= steps < np.inf or steps != int(steps):
        raise InputError(
            f"Found --lead-days {lead_days}, expected a multiple of the model's step of "
            f"{model.config.data.step_hours} hours."
        )
    return int(steps)
