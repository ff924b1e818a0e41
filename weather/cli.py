"""The command `refine weather`."""

from pathlib import Path

from refine_core.cli import arguments, commands
from refine_core.config import parse
from refine_core.errors import InputError
from refine_core.files import write_json
from weather.calibrate import calibrate as choose
from weather.cli_forecast import forecast
from weather.cli_plot import plot
from weather.cli_prepare import prepare
from weather.cli_simulate import simulate
from weather.cli_verify import verify
from weather.config import WeatherConfig
from weather.demo import demo
from weather.prepare import prepared
from weather.sample import sample
from weather.train import train as run_training
from weather.trained import load


def main(argv: list[str]) -> None:
    """Run `refine weather`."""
    table = {
        "simulate": simulate,
        "prepare": prepare,
        "train": train,
        "calibrate": calibrate,
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
        temperature: tuple[float, ...] = (1.0,),
        rounds: int = 4,
        starts: int = 12,
        members: int = 10,
        steps: int = 10,
        seed: int = 0,
        out: Path = Path("calibrated.safetensors"),
    ) -> None:
        """Calibrate a model.

        Args:
            model: A shipped model's name, a run's folder or a file.
            temperature: Temperatures to try, where codes are drawn.
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
        data = prepared(loaded.config.data)
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
        correction = best.forecaster.correction.extra_repr()
        print(f"{out}: temperature {best.config.head.temperature[0]}, {correction}")

    arguments(run, argv, "refine weather calibrate")
