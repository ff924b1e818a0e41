"""Commands that write, each in a folder with what it reads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from refine_core.config.schema import dump
from tests.fuzz import materials
from tests.images import tiny as tiny_images
from tests.images.study.test_build import CONFIG as STUDY
from tests.images.study.test_build import noise_images
from tests.weather import tiny as tiny_weather
from tests.weather.forecasts import ensemble, starts, world

Files = Mapping[str, bytes]
SAVES = {"save_minutes": 0.001}
"""A checkpoint every sixteenth of a second."""


@dataclass(frozen=True)
class Job:
    """A command, the files that it reads, where it writes, and endings of outputs with times."""

    argv: tuple[str, ...]
    files: Callable[[], Files]
    out: str
    timed: tuple[str, ...] = ()


def _graphs() -> Files:
    config: dict[str, Any] = materials.configs()["graphs"]
    config["model"]["training"] |= {"epochs": 3, "batch": 8, **SAVES}
    return {"c.yaml": dump(config).encode(), **materials.molecules()}


def _images() -> Files:
    made = replace(tiny_images.CONFIG, data=Path("a.npz"))
    often = replace(tiny_images.TRAINING, batch=8, save_minutes=0.001)
    made = replace(
        made,
        tokenizer=replace(made.tokenizer, training=often),
        generator=replace(made.generator, training=often),
    )
    return {"c.yaml": dump(made).encode(), **materials.pictures()}


def _weather() -> Files:
    often = replace(tiny_weather.OPT, save_minutes=0.001)
    network = replace(tiny_weather.NETWORK, training=often)
    made = tiny_weather._config("a.nc", "refine")
    tokens = replace(made.head.tokenizer, training=often)
    made = replace(made, mean=network, head=replace(made.head, network=network, tokenizer=tokens))
    return {"c.yaml": dump(made).encode(), **materials.maps()}


def _with_models() -> Files:
    return {**materials.models(), **materials.maps()}


def _evaluation() -> Files:
    images = {"a.npz": materials.archive(tiny_images.IMAGES.train)}
    return {**materials.models(), **images, **materials.judge((11, 12), 2)}


def _study() -> Files:
    made = replace(
        STUDY,
        arms=("latent-codes", "pixel-diffusion"),
        seeds=(0,),
        tuning=replace(STUDY.tuning, learning_rates=(1e-3,), guidance=(0.0, 1.0)),
        data=Path("a.npz"),
        judge=Path("judge.safetensors"),
        measurement=replace(
            STUDY.measurement,
            calls=(1, 2, 4),
            bits_images=0,
            energy_samples=50,
            timed_images=4,
            timed_rounds=1,
        ),
        workers=1,
    )
    images = {"a.npz": materials.archive(noise_images(600))}
    return {"c.yaml": dump(made).encode(), **images, **materials.judge((28, 28), 10)}


def _verification() -> Files:
    truth = world()
    made = {"truth.nc": truth, "f.nc": ensemble(truth, inits=starts(2))}
    found: dict[str, bytes] = {}
    for name, each in made.items():
        found |= materials.written(name, partial(each.to_netcdf, engine="netcdf4"))
    return found


FORECAST = (
    *("weather", "forecast", "--model", "weather.safetensors", "--init", "three.zarr"),
    *("--time", "2000-02-01T00", "--members", "4", "--batch", "1", "--lead-days", "2"),
)
JOBS = {
    "train graphs": Job(("graphs", "train", "--config", "c.yaml", "--name", "x"), _graphs, "runs"),
    "train images": Job(("images", "train", "--config", "c.yaml", "--name", "x"), _images, "runs"),
    "train weather": Job(
        ("weather", "train", "--config", "c.yaml", "--name", "x"), _weather, "runs"
    ),
    "sample graphs": Job(
        ("graphs", "sample", "--model", "graphs.safetensors", "--count", "30", "--out", "out.smi"),
        _with_models,
        "out.smi",
    ),
    "sample images": Job(
        ("images", "sample", "--model", "images.safetensors", "--count", "30", "--out", "out.npz"),
        _with_models,
        "out.npz",
    ),
    "forecast": Job((*FORECAST, "--overwrite", "--out", "out.zarr"), _with_models, "out.zarr"),
    "forecast netCDF": Job((*FORECAST, "--overwrite", "--out", "out.nc"), _with_models, "out.nc"),
    "calibrate": Job(
        (
            *("weather", "calibrate", "--model", "weather.safetensors", "--rounds", "1"),
            *("--starts", "2", "--members", "3", "--steps", "2", "--out", "out.safetensors"),
        ),
        _with_models,
        "out.safetensors",
    ),
    "evaluate": Job(
        (
            *("images", "evaluate", "--model", "images.safetensors", "--source", "a.npz"),
            *("--samples", "12", "--judge", "judge.safetensors", "--out", "out"),
        ),
        _evaluation,
        "out",
        ("REPORT.md",),
    ),
    "prepare": Job(("weather", "prepare", "--config", "c.yaml", "--name", "x"), _weather, "runs"),
    "simulate": Job(
        (
            *("weather", "simulate", "--start", "2000-01-01", "--days", "4"),
            *("--spin-up-days", "2", "--states-every", "1", "--out", "out.zarr"),
        ),
        dict,
        "out.zarr",
    ),
    "study": Job(
        ("images", "study", "--config", "c.yaml", "--out", "out"),
        _study,
        "out",
        ("REPORT.md", "frontiers.png"),
    ),
    "regrid": Job(
        ("weather", "regrid", "a.nc", "--grid", "2x4", "--overwrite", "--out", "out.zarr"),
        _with_models,
        "out.zarr",
    ),
    "verify": Job(
        ("weather", "verify", "f.nc", "--truth", "truth.nc", "--out", "out"),
        _verification,
        "out",
    ),
}
