"""The commands that make and examine a model: `refine weather train`, `calibrate` and `floor`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from refine_core.app.outputs import OutputFolder, output_file, run_folder
from refine_core.app.processes.ranks import trains
from refine_core.config.ranges import (
    Duration,
    NonNegativeFloat,
    NonNegativeInt,
    OneOrMore,
    PositiveInt,
    seconds,
)
from refine_core.storage.files import write_json, write_text
from refine_core.storage.lock import is_first
from weather.config import WeatherConfig
from weather.data.time_parts import Part

if TYPE_CHECKING:
    from weather.data.prepared import Prepared
    from weather.model import WeatherModel


@trains
def train(config: WeatherConfig, time: Duration | None = None) -> None:
    """Train a forecast model from a config; goes on where it was stopped.

    Args:
        config: The configuration of data, model and training.
        time: About how long to train each of mean, tokeniser and head, such as 90s, 10m or 2h, in
            place of numbers of epochs.
    """
    from weather.training.run import train

    folder = Path("runs") / config.name
    with run_folder(folder):
        train(config, seconds=seconds(time) if time else None)
    if is_first():
        print(f"model: {folder / 'model.safetensors'}")


def calibrate(
    model: str,
    source: str | None = None,
    temperature: OneOrMore[NonNegativeFloat] = (1.0,),
    rounds: NonNegativeInt = 2,
    starts: PositiveInt = 12,
    members: PositiveInt = 10,
    steps: PositiveInt = 10,
    seed: int = 0,
    out: Annotated[Path, output_file(".safetensors")] = Path("calibrated.safetensors"),
) -> None:
    """Fit the correction of every step to the validation part, and write the model.

    Args:
        model: A shipped model's name, a run's folder or a file.
        source: Path or URL of the data; by default as the model's config says.
        temperature: Temperatures to try, for the scales of one size after the other, where codes
            are sampled; the first is what others start from.
        rounds: Number of times that forecasts are rolled out and the correction is changed.
        starts: Number of initial times, spread evenly over the validation part.
        members: Number of members of each ensemble.
        steps: Number of model steps in each forecast.
        seed: Seed of the ensembles.
        out: The calibrated model; what was measured goes beside it, as .json.
    """
    from weather.calibration.search import calibrate
    from weather.model import load

    loaded = load(model)
    best, rows = calibrate(
        loaded,
        _data(loaded, source),
        temperature=temperature,
        rounds=rounds,
        starts=starts,
        members=members,
        steps=steps,
        seed=seed,
    )
    best.save(out, small=True)
    write_json(out.with_suffix(".json"), rows)
    temperatures = " ".join(str(each) for each in best.config.head.temperature)
    print(f"{out}: temperature {temperatures}, {best.forecaster.correction.extra_repr()}")


def floor(
    model: str,
    source: str | None = None,
    part: Part = "test",
    count: PositiveInt = 1024,
    out: OutputFolder = Path("floor"),
) -> None:
    """Measure what the codes lose: a table of errors of encode-decode by variable.

    Args:
        model: A shipped model's name, a run's folder or a file.
        source: Path or URL of the data; by default as the model's config says.
        part: The part of the data to measure on.
        count: Largest number of windows.
        out: Folder for FLOOR.md and floor.json.
    """
    from weather.calibration.reconstruction_error import reconstruction_error, report
    from weather.model import load

    loaded = load(model)
    error = reconstruction_error(loaded, _data(loaded, source), part, count)
    table, numbers = report(loaded, error)
    write_json(out / "floor.json", numbers)
    write_text(out / "FLOOR.md", table)
    print(table)


def _data(model: "WeatherModel", source: str | None) -> "Prepared":
    """The model's data, prepared; from another source if one is given."""
    from weather.data.preparation import prepare

    config = model.config.data
    return prepare(config if source is None else replace(config, source=source))
