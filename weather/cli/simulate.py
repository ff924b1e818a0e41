"""The command `refine weather simulate`."""

from pathlib import Path

from refine_core.app.options import arguments
from weather.simulation.run import Span
from weather.simulation.run import simulate as make
from weather.simulation.speedy import STEP_MINUTES, Speedy, version


def simulate(argv: list[str]) -> None:
    """Make training data offline with the general circulation model JCM."""

    def run(
        start: str = "2000-01-01",
        days: int = 1461,
        spin_up_days: int = 180,
        interval_hours: int = 6,
        seed: int = 0,
        out: Path = Path("gcm_64x32.zarr"),
        overwrite: bool = False,
    ) -> None:
        """Simulate a global atmosphere: SPEEDY physics at T31, on a grid of 64 x 32 cells.

        A stopped run goes on where it was when the same command is given again, and ends with the
        same store. A simulated day takes about a second.

        Args:
            start: First day of the store.
            days: Of the store.
            spin_up_days: Simulated before the first day, from rest, and dropped.
            interval_hours: Between maps.
            seed: Of the disturbance of the atmosphere at rest.
            out: The store, ends in .zarr.
            overwrite: Whether an existing store is replaced.
        """
        span = Span(start, days, spin_up_days, interval_hours, seed)
        model = f"jcm {version()}, SPEEDY physics, T31, 8 layers, steps of {STEP_MINUTES} min"
        make(span, model, Speedy, out, overwrite=overwrite)
        print(f"simulation: {out}")

    arguments(run, argv, "refine weather simulate")
