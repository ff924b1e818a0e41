"""The command `refine weather`."""

from pathlib import Path

from refine_core.app.cli import Commands, commands
from refine_core.app.outputs import OutputFolder
from refine_core.app.processes.cluster import on_cluster
from refine_core.config.ranges import OneOrMore, PositiveInt
from refine_core.device import in_precision, on_device
from weather.cli.data import prepare, regrid, sample, simulate
from weather.cli.forecast import forecast, plot, verify
from weather.cli.planning import plan
from weather.cli.train import calibrate, floor, train


def main(argv: list[str]) -> None:
    """Run `refine weather`."""
    table: Commands = {
        "simulate": simulate,
        "regrid": regrid,
        "prepare": on_cluster(prepare),
        "plan": plan,
        "train": on_device(train),
        "calibrate": on_device(calibrate),
        "floor": on_device(floor),
        "forecast": on_device(in_precision(forecast)),
        "verify": on_cluster(verify),
        "plot": plot,
        "sample": sample,
        "demo": on_device(demo),
    }
    commands("refine weather", table, argv)


_VERIFIED = ("geopotential_500", "temperature_850", "2m_temperature", "total_precipitation_6hr")
"""What the demo verifies, of what the model predicts."""


def demo(
    model: str = "gcm",
    members: PositiveInt = 20,
    time: OneOrMore[str] = ("2019-11-05T00/2019-11-25T00/240h",),
    out: OutputFolder = Path("runs/demo/weather"),
) -> None:
    """Forecast ten days from the bundled sample, verify the ensemble, and plot it.

    Args:
        model: A shipped model's name, a run's folder or a file.
        members: Number of members of the ensemble.
        time: Initial times, as in `refine weather forecast`.
        out: Folder for the forecast, the report and pictures.
    """
    from weather.model import load
    from weather.samples import HISTORY, STATES

    names = {channel.name for channel in load(model).channels}
    chosen = tuple(name for name in _VERIFIED if name in names)
    made, states = out / "forecast.zarr", str(STATES)
    forecast(model, states, time, members=members, out=made, overwrite=True)
    verify(str(made), states, str(HISTORY), variables=chosen, out=out / "scores")
    plot(str(made), truth=states, history=str(HISTORY), out=out / "maps")
    for path in sorted(out.rglob("*.png")):
        print(f"picture: {path}")
