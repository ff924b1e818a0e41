"""`refine weather demo`: a forecast of the bundled sample, verified and drawn."""

from pathlib import Path

from refine_core.app.options import arguments
from weather.cli.forecast import forecast
from weather.cli.plot import plot
from weather.cli.verify import verify
from weather.samples import HISTORY, STATES


def demo(argv: list[str]) -> None:
    """Forecast ten days from the bundled sample, verify the ensemble, and draw it."""

    def run(
        model: str = "gcm",
        members: int = 20,
        time: tuple[str, ...] = ("2003-11-05T00/2003-12-05T00/240h",),
        out: Path = Path("runs/demo/weather"),
    ) -> None:
        """Run the demo.

        Args:
            model: A shipped model's name, a run's folder or a file.
            members: Of the ensemble.
            time: Initial times, as in `refine weather forecast`.
            out: Folder for the forecast, the report and pictures.
        """
        made = str(out / "forecast.zarr")
        states = str(STATES)
        forecast(
            ["--model", model, "--init", states, "--members", str(members), "--out", made]
            + ["--time", *time, "--overwrite"]
        )
        verify([made, "--truth", states, "--history", str(HISTORY), "--out", str(out / "scores")])
        plot([made, "--truth", states, "--out", str(out / "maps")])
        for path in sorted(out.rglob("*.png")):
            print(f"picture: {path}")

    arguments(run, argv, "refine weather demo")
