"""The command `refine weather`."""

from dataclasses import replace
from pathlib import Path

from refine_core.app.cli import commands
from refine_core.app.options import arguments, parse
from refine_core.errors import InputError
from refine_core.storage.files import write_json, write_text
from weather.calibration.reconstruction_error import described, measure_floor
from weather.calibration.search import calibrate as choose
from weather.cli.demo import demo
from weather.cli.forecast import forecast
from weather.cli.plot import plot
from weather.cli.prepare import prepare
from weather.cli.sample import sample
from weather.cli.simulate import simulate
from weather.cli.verify import verify
from weather.config import WeatherConfig
from weather.data.preparation import prepare as prepare_data
from weather.data.prepared import Prepared
from weather.data.time_parts import Part
from weather.model import WeatherModel, load
from weather.training.pipeline import train as run_training


def main(argv: list[str]) -> None:
    """Run `refine weather`."""
    table = {
        "simulate": simulate,
        "prepare": prepare,
        "train": train,
        "calibrate": calibrate,
        "floor": floor,
        "forecast": forecast,
        "verify": verify,
        "plot": plot,
        "sample": sample,
        "demo": demo,
    }
    commands("refine weather", table, argv)


def train(argv: list[str]) -> None:
    """Train a forecast model from a config; goes on where it was stopped."""
    config = parse(WeatherConfig, argv, prog="refine weather train")
    run_training(config)
    print(f"model: {Path('runs') / config.name / 'model.safetensors'}")


def calibrate(argv: list[str]) -> None:
    """Fit what is corrected at every step to the validation part, and write the model."""

    def run(
        model: str,
        source: str | None = None,
        temperature: tuple[float, ...] = (1.0,),
        rounds: int = 2,
        starts: int = 12,
        members: int = 10,
        steps: int = 10,
        seed: int = 0,
        out: Path = Path("calibrated.safetensors"),
    ) -> None:
        """Calibrate a model.

        Args:
            model: A shipped model's name, a run's folder or a file.
            source: Path or URL of the data; by default as the model's config says.
            temperature: Temperatures to try, for the scales of one size after the other, where
                codes are drawn; the first is what others start from.
            rounds: Of fitting by rolling out.
            starts: Initial times.
            members: Of each ensemble.
            steps: To roll out.
            seed: Of the ensembles.
            out: The calibrated model; what was measured goes beside it, as .json.
        """
        if out.suffix != ".safetensors":
            raise InputError(f"Found --out {out}, expected a name that ends in .safetensors.")
        loaded = load(model)
        data = _data(loaded, source)
        best, rows = choose(
            loaded,
            data,
            temperature=temperature,
            rounds=rounds,
            starts=starts,
            members=members,
            steps=steps,
            seed=seed,
        )
        best.save(out, small=True)
        write_json(out.with_suffix(".json"), rows)
        heats = " ".join(str(heat) for heat in best.config.head.temperature)
        print(f"{out}: temperature {heats}, {best.forecaster.correction.extra_repr()}")

    arguments(run, argv, "refine weather calibrate")


def floor(argv: list[str]) -> None:
    """Measure what the codes lose: a table of errors of encode-decode by variable."""

    def run(
        model: str,
        source: str | None = None,
        part: Part = "test",
        count: int = 512,
        out: Path = Path("floor"),
    ) -> None:
        """Measure what the codes of a model lose.

        Args:
            model: A shipped model's name, a run's folder or a file.
            source: Path or URL of the data; by default as the model's config says.
            part: train, validation or test.
            count: Windows, at most.
            out: Folder for FLOOR.md and floor.json.
        """
        loaded = load(model)
        table, numbers = described(
            loaded, measure_floor(loaded, _data(loaded, source), part, count)
        )
        write_json(out / "floor.json", numbers)
        write_text(out / "FLOOR.md", table)
        print(table)

    arguments(run, argv, "refine weather floor")


def _data(model: WeatherModel, source: str | None) -> Prepared:
    data = model.config.data
    return prepare_data(data if source is None else replace(data, source=source))
