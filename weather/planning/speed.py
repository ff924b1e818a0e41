"""How fast this machine is: small pieces of the real work, timed.

Times are those of the processor, shared by its threads: as if nothing else ran.
"""

import math
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from refine_core.training.state import TrainState
from weather.config import WeatherConfig
from weather.data.array_file import ArrayFile
from weather.data.statistics import moments
from weather.data.value_checks import ValueScan
from weather.fields.grid import Grid, equiangular
from weather.io.canonical import LEAD
from weather.planning.meter import Meter
from weather.planning.networks import (
    Cost,
    Trained,
    networks,
    sample_step,
    settings,
    smaller_grid,
    train_step,
    trained_module,
    update,
    windows,
)
from weather.verification.run import verify

LIMIT = 1e11
"""Operations of a step that is timed, about: the same networks with fewer samples and cells."""
CELLS = (16, 32)
"""Rows and columns of maps that preparation is timed on."""
VERIFIED, LEADS, HISTORY = (32, 64), 5, 800
"""Grid and lead times of the forecast whose verification is timed; daily states of its history."""


def training_rate(config: WeatherConfig, grid: Grid, stage: Trained, cost: Cost) -> float:
    """Operations a second of a training, measured on a smaller step."""
    opt = settings(config, stage)
    each = cost.operations / opt.batch
    less = smaller_grid(config, grid, LIMIT / each)
    each *= less.shape[0] * less.shape[1] / (grid.shape[0] * grid.shape[1])
    count = max(1, min(opt.batch, int(LIMIT / each)))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        state = TrainState.new(trained_module(config, less, stage), opt)
        batch = windows(config, less, count)

        def step() -> None:
            train_step(state, opt, *batch)
            update(state)

        return _rate(step)


def sampling_rate(config: WeatherConfig, grid: Grid, members: int, cost: Cost) -> float:
    """Operations a second of a forecast, measured on a smaller step."""
    less = smaller_grid(config, grid, LIMIT / cost.operations)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        forecaster = networks(config, less).eval()
        return _rate(lambda: sample_step(forecaster, config, less, members))


def preparation_seconds(config: WeatherConfig) -> float:
    """Seconds a number of the data, to check, write and measure it; reading it is not timed."""
    grid, channels = equiangular(*CELLS), config.data.channels
    shape = (max(8, 2**21 // (len(channels) * CELLS[0] * CELLS[1])), len(channels), *CELLS)
    maps = np.random.default_rng(0).standard_normal(shape, np.float32)
    times = np.datetime64("2000-01-01", "ns") + np.arange(len(maps)) * np.timedelta64(1, "D")
    with tempfile.TemporaryDirectory() as folder:

        def prepare() -> None:
            ValueScan(channels, grid, ()).look(times, maps)
            ArrayFile(Path(folder) / "maps.npy", maps.shape).write(0, maps)
            moments(maps, np.arange(len(maps)), grid, len(maps))
            moments(maps, np.arange(len(maps) - 1), grid, len(maps), 1)

        return float(_seconds(prepare) / maps.size)


def verification_seconds(members: int) -> float:
    """Seconds a number of a forecast, to verify it with all its baselines."""
    made = np.random.default_rng(0)
    day = np.timedelta64(24 * 3600 * 10**9, "ns")
    time = np.datetime64("2000-01-01", "ns") + np.arange(HISTORY) * day
    truth = _maps({"time": time}, made.standard_normal((HISTORY, *VERIFIED), np.float32))
    shape = (1, members, LEADS, *VERIFIED)
    coords: dict[str, NDArray[Any]] = {"time": time[-30:-29], "number": np.arange(members)}
    coords |= {LEAD: np.arange(1, LEADS + 1) * day}
    forecast = _maps(coords, made.standard_normal(shape, np.float32))
    first = _seconds(lambda: verify(forecast.isel({LEAD: slice(1)}), truth))
    every = _seconds(lambda: verify(forecast, truth))
    numbers = members * (LEADS - 1) * math.prod(VERIFIED)
    return float(max(every - first, first / LEADS) / numbers)


def _maps(coords: Mapping[str, NDArray[Any]], values: NDArray[np.float32]) -> xr.Dataset:
    """A data set of one variable."""
    grid = equiangular(*VERIFIED)
    coords = {**coords, "latitude": grid.latitude, "longitude": grid.longitude}
    return xr.Dataset({"2m_temperature": (list(coords), 280 + values, {"units": "K"})}, coords)


def _rate(step: Callable[[], None]) -> float:
    """Operations a second of a step; the first is not timed, of others the fastest counts."""
    meter = Meter()
    with meter:
        step()
    return meter.operations / min(_seconds(step) for _ in range(3))


def _seconds(work: Callable[[], object]) -> float:
    """Seconds that work takes."""
    started = time.process_time()
    work()
    return max(time.process_time() - started, 1e-9) / torch.get_num_threads()
