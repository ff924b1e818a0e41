"""What a member of configs/weather/gcm.yaml costs, beside diffusion, and on larger grids.

`10-day member, HxW`: seconds a member of a 10-day forecast, in a batch of five. `diffusion /
refinement` is the ratio for the same backbone, `refinement / mean` what drawing adds to the
deterministic forecast. Untrained weights: the time is the same. Larger grids keep patches of the
same count of cells, so the tokens grow with the grid. `peak memory` is that of a process in which
the shipped model rolls out so many members, libraries included.
"""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from refine_core.config.schema import load
from refine_core.noise import Noise
from tests.bench.timing import Call, ratio, taken
from weather.config import WeatherConfig
from weather.fields.grid import Grid
from weather.forecaster.build import build_untrained
from weather.forecaster.forecaster import Forecaster
from weather.forecaster.inputs import StepInput

FOLDER = Path(__file__).parents[2] / "configs" / "weather"
BATCH, STEPS = 5, 10
ROLLOUT = """
import resource, sys
import numpy as np
from weather.forecast.initial_states import InitialStates
from weather.samples import STATES
from weather.model import load

model, start = load("gcm"), np.datetime64("2019-11-20T00", "ns")
states = InitialStates.open(str(STATES), model).states(start)
for _ in model.rollout(states, start, members=int(sys.argv[1]), steps=3):
    pass
try:  # what getrusage says of a child on Linux includes its parent
    lines = open("/proc/self/status").read().split()
    print(int(lines[lines.index("VmHWM:") + 1]) / 2**10)
except FileNotFoundError:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""
GRIDS = {"32x64": (8, 16), "73x144": (18, 36), "121x240": (30, 60)}


def bench() -> dict[str, float]:
    """Seconds and ratios by name; about two minutes."""
    measured: dict[str, float] = {}
    for name, tokens in GRIDS.items():
        ours = step("gcm", name, tokens)
        measured[f"10-day member, {name}, seconds"] = STEPS * _least(ours) / BATCH
        if name == "32x64":
            measured["diffusion / refinement"] = ratio(step("diffusion", name, tokens), ours)
            measured["refinement / mean"] = ratio(ours, step("deterministic", name, tokens))
    measured["peak memory, 50 members, MB"] = _peak(50)
    measured["peak memory, 1 member, MB"] = _peak(1)
    return measured


def _peak(members: int) -> float:
    done = subprocess.run(
        [sys.executable, "-c", ROLLOUT, str(members)], check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def _least(call: Call) -> float:
    call()
    return min(taken(call) for _ in range(3))


def step(
    config: str, size: str, tokens: tuple[int, int]
) -> Callable[[], tuple[torch.Tensor, torch.Tensor]]:
    """One step of five members, after a first one."""
    torch.manual_seed(0)
    made = load(WeatherConfig, FOLDER / f"{config}.yaml")
    model, channels = forecaster(made, grid(size), tokens), len(made.data.state_channels)
    high, wide = model.mean.get_buffer("static").shape[-2:]
    maps = torch.randn(BATCH, 1, channels, high, wide)
    given = StepInput(maps, maps.new_zeros(BATCH, 0, high, wide), torch.zeros(BATCH, 4))
    noise = Noise(0, torch.arange(BATCH))
    _, waves = model.step(given, noise)
    return lambda: model.step(given, noise, waves)


def grid(size: str) -> Grid:
    """An equiangular grid, with poles if its count of rows is odd."""
    high, wide = (int(n) for n in size.split("x"))
    edge = 90.0 if high % 2 else 90 - 90 / high
    return Grid(np.linspace(-edge, edge, high), np.arange(wide) * 360 / wide)


def forecaster(config: WeatherConfig, grid: Grid, tokens: tuple[int, int]) -> Forecaster:
    """The untrained model of a config, of the mean that it names."""
    if config.mean_from:
        named = load(WeatherConfig, FOLDER / f"{Path(config.mean_from).name}.yaml")
        config = replace(config, mean=named.mean)
    finest = config.head.tokenizer.sizes[-1]
    sizes = tuple(
        (round(h * tokens[0] / finest[0]), 2 * round(w * tokens[1] / finest[1] / 2))
        for h, w in config.head.tokenizer.sizes
    )
    network = replace(config.head.network, grid=tokens)
    head = replace(
        config.head, network=network, tokenizer=replace(config.head.tokenizer, sizes=sizes)
    )
    mean, statics = replace(config.mean, grid=tokens), len(config.data.static)
    return build_untrained(config.data, mean, head, grid, statics).eval()
