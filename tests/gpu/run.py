"""All that one device is asked for within minutes: tests, throughput, larger models (`make gpu`).

Weights and metrics of the trainings go to folders of their own beside the report; started again,
they go on. Data are read as by the commands: MNIST, QM9 and MOSES from `$REFINE_CACHE`, or from
what `make gpu-data` has packed, weather from the current folder, or else the bundled sample. What
is not there is left out, and the report says so.
"""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import graphs
import images
from graphs.config import GraphsConfig
from images.config import ImagesConfig
from images.data.load import mnist, read_images
from refine_core.app.options import arguments
from refine_core.app.progress import say
from refine_core.app.report import Column, table, write_report
from refine_core.config.ranges import PositiveFloat, PositiveInt
from refine_core.config.schema import load
from refine_core.device import find_device, on_device
from refine_core.errors import InputError
from refine_core.storage.checkpoint import versions
from refine_core.storage.files import write_json
from tests.bench.throughput import SHIPPED, Row, measure, peak
from tests.gpu import data as packed
from weather.config import WeatherConfig
from weather.samples import STATES
from weather.training.run import train as train_weather

ROOT = Path(__file__).parents[2]
LARGE = tuple(sorted((ROOT / "configs").glob("*/*_large.yaml")))
STAGES = {"images": 3, "graphs": 1, "weather": 3}
"""Trainings that a config of a domain stands for."""


def run(
    out: Path = Path("runs/gpu"),
    configs: tuple[Path, ...] = LARGE,
    models: tuple[str, ...] = SHIPPED,
    minutes: PositiveFloat = 6.0,
    count: PositiveInt = 500,
    size: PositiveInt = 8192,
    tests: bool = True,
) -> None:
    """Run tests, measure the shipped models, and train larger ones.

    Args:
        out: Folder for the report, weights and metrics.
        configs: What to train, in folders named by domains.
        models: What to measure, such as images/mnist.
        minutes: About how long all trainings take together, reading data apart.
        count: Samples a call that is measured.
        size: Of the matrices whose product gives the peak.
        tests: Whether to run the tests of devices.
    """
    packed.use()
    found: dict[str, object] = {"device": str(find_device()), "versions": versions()}
    if tests:
        found["tests"] = _tests()
        say(f"tests: {found['tests']}")
    best = peak(size)
    found["peak_flops"] = best
    rows: list[Row] = []
    for name in models:
        rows.append(measure(name, count, best))
        say(str(rows[-1]))
    found["speed"] = rows
    trained = found["trained"] = {}
    for path in configs:
        trained[path.stem] = _train(path, out, 60 * minutes / max(1, len(configs)))
        say(f"{path.stem}: {trained[path.stem]}")
    write_json(out / "results.json", found)
    write_report(out / "REPORT.md", "# One device", _markdown(found, rows, trained))
    print(f"report: {out / 'REPORT.md'}")


def _tests() -> str:
    """The last line of the tests of devices."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, "tests"], cwd=ROOT, capture_output=True, text=True)
    return (done.stdout.strip() or done.stderr.strip()).splitlines()[-1]


def _train(path: Path, out: Path, within: float) -> str:
    """Train for so many seconds; say where the weights are, or why there are none."""
    domain, each = path.parent.name, within / STAGES[path.parent.name]
    try:
        if domain == "images":
            config = load(ImagesConfig, path)
            data = mnist() if config.data is None else read_images(config.data)
            images.train(config, data, out, seconds=each)
        elif domain == "graphs":
            graphs.train(load(GraphsConfig, path), out, seconds=each)
        else:
            train_weather(weather_config(path), out, seconds=each)
    except (InputError, OSError) as error:
        return str(error)
    return str(out / path.stem / "model.safetensors")


def weather_config(path: Path) -> WeatherConfig:
    """A config whose data are there: without its own it has 50 days of the bundled sample."""
    config = load(WeatherConfig, path)
    if Path(config.data.source).exists():
        return config
    say(f"{config.data.source} is not there: {path.stem} learns from {STATES.name}")
    sample = replace(
        config.data,
        source=str(STATES),
        train=("2019-11-01", "2019-12-06"),
        validation=("2019-12-07", "2019-12-12"),
        test=("2019-12-13", "2019-12-20"),
        gap_days=0,
    )
    return replace(config, data=sample)


def _markdown(found: dict[str, object], rows: list[Row], trained: dict[str, str]) -> str:
    columns = [Column("model")]
    for what in ("sample", "train"):
        columns += [Column(f"{what}{unit}", form=".4g") for unit in (", 1/s", " limit, 1/s")]
        columns.append(Column(f"{what} share", form=".2%"))
    lines = [f"- {name}: {said}" for name, said in trained.items()]
    known = ("device", "versions", "tests", "peak_flops")
    facts = [f"- {name}: {found[name]}" for name in known if name in found]
    return "\n".join([*facts, "", table(columns, rows), "", *lines])


if __name__ == "__main__":
    try:
        arguments(on_device(run), sys.argv[1:], "python -m tests.gpu.run")
    except InputError as error:
        raise SystemExit(str(error)) from None
