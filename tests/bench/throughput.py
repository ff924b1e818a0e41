"""Throughput of the shipped models on one device, beside the limit that physics sets.

`sample`, `train`: samples a second, of weather a member's steps. `limit`: as many as there were if
nothing took time but the matrix products of a sample, each as fast as large products are on this
device. `share`: the first over the second. `sample bf16-mixed`: with `--network-precision`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import graphs
import images
import weather
from graphs.model import MODELS as GRAPHS
from images.model import MODELS as IMAGES
from refine_core.device import find_device, using_device, using_precision
from refine_core.noise import Noise
from weather.forecast.initial_states import InitialStates
from weather.model import MODELS as WEATHER
from weather.samples import STATES

Call = Callable[[], object]
Row = dict[str, str | float]
NAMES = {"images": IMAGES.names(), "graphs": GRAPHS.names(), "weather": WEATHER.names()}
SHIPPED = tuple(f"{domain}/{name}" for domain, names in NAMES.items() for name in names)
SAMPLES, PRODUCT = {"images": 100, "graphs": 500, "weather": 1}, 1024
"""Samples a call, and the size of matrices, that suit one thread."""


@dataclass(frozen=True)
class Work:
    """What is timed of a model.

    Args:
        count: Samples that each call makes or learns from.
        draw: Draws them.
        learn: Losses of a step of training.
        module: What is trained.
        half: Whether it is trained in bfloat16.
    """

    count: int
    draw: Call
    learn: Callable[[], dict[str, Tensor]]
    module: nn.Module
    half: bool

    def step(self) -> None:
        """Gradients of a step of training."""
        with torch.autocast(find_device().type, torch.bfloat16, enabled=self.half):
            self.learn()["loss"].backward()
        self.module.zero_grad()


def bench() -> dict[str, float]:
    """Figures by name, on the processor: time of the processor, whatever else it does."""
    with using_device("cpu"):
        best = peak(PRODUCT)
        found = {f"products in {number}, GFLOP/s": flops / 1e9 for number, flops in best.items()}
        for name in SHIPPED:
            row = measure(name, SAMPLES[name.partition("/")[0]], best)
            found |= {
                f"{name}: {key}": float(value) for key, value in row.items() if key != "model"
            }
    return found


def peak(size: int) -> dict[str, float]:
    """FLOP a second of products of matrices of this size, in float32 and in bfloat16."""
    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        a = torch.randn(size, size, device=find_device(), dtype=dtype)
        found[str(dtype).removeprefix("torch.")] = 2 * size**3 / seconds(lambda a=a: a @ a)  # type: ignore[misc]
    return found


def seconds(call: Call, turns: int = 3) -> float:
    """The least time of a call, after one that is not timed: of the CPU its processor time."""
    clock = time.process_time if find_device().type == "cpu" else time.perf_counter
    taken = []
    for _ in range(turns + 1):
        _finish()
        start = clock()
        call()
        _finish()
        taken.append(clock() - start)
    return min(taken[1:])


def measure(name: str, count: int, best: dict[str, float]) -> Row:
    """Samples a second that a shipped model draws and learns from, their limits, and the shares.

    Args:
        name: Domain and name, such as images/mnist.
        count: Samples a call; of forecasts as many members as are computed at once.
        best: As of `peak`.
    """
    domain, _, own = name.partition("/")
    work = WORK[domain](own, count)
    row: Row = {"model": name}
    trained_in = "bfloat16" if work.half else "float32"
    for what, call, number in (("sample", work.draw, "float32"), ("train", work.step, trained_in)):
        work.module.train(what == "train")
        with FlopCounterMode(display=False) as counted:
            call()
        taken = seconds(call)
        least = counted.get_total_flops() / best[number]
        row |= {f"{what}, 1/s": work.count / taken, f"{what} limit, 1/s": work.count / least}
        row[f"{what} share"] = least / taken
    work.module.eval()
    with using_precision("bf16-mixed"):
        row["sample bf16-mixed, 1/s"] = work.count / seconds(work.draw)
    return row


def _images(name: str, count: int) -> Work:
    model = images.load(name)
    labels = torch.arange(count) % max(1, model.classes)
    pixels = torch.rand(count, *model.shape)
    half = model.config.generator.training.precision != "32-true"
    batch = (pixels.to(model.device), labels.to(model.device))
    noise = Noise.range(0, count, model.device)

    def draw() -> Tensor:
        return model.sample(count, labels=labels, batch=count, workers=1)

    return Work(count, draw, lambda: model.refiner(batch, noise), model.refiner, half)


def _graphs(name: str, count: int) -> Work:
    model = graphs.load(name)
    drawn = model.sample(count, batch=count, workers=1).to(model.device)
    given = torch.zeros(count, len(model.properties.names), device=model.device)
    batch = (drawn, given) if model.properties.names else (drawn,)
    half = model.config.model.training.precision != "32-true"
    noise = Noise.range(0, count, model.device)

    def draw() -> object:
        return model.sample(count, batch=count, workers=1)

    return Work(count, draw, lambda: model.refiner(batch, noise), model.refiner, half)


def _weather(name: str, _: int) -> Work:
    model = weather.load(name)
    start = np.datetime64("2019-11-15T00", "ns")
    states = InitialStates.open(str(STATES), model).states(start)
    past = model.normalise(torch.from_numpy(np.asarray(states))).float()
    size, device = model.group, model.forecaster.device
    before = past.reshape(1, model.data.history, *past.shape[-3:]).expand(size, -1, -1, -1, -1)
    forcing = before[:, -1:, :0]
    future = before[:, -1:, :1].expand(-1, -1, len(model.channels), -1, -1)
    batch = tuple(each.to(device) for each in (before, future, forcing, torch.zeros(size, 1, 4)))
    noise = Noise.range(0, size, device)

    def draw() -> object:
        return list(model.rollout(states, start, members=size, steps=1))

    return Work(size, draw, lambda: model.forecaster(batch, noise), model.forecaster, False)


WORK: dict[str, Callable[[str, int], Work]] = {
    "images": _images,
    "graphs": _graphs,
    "weather": _weather,
}


def _finish() -> None:
    """Wait for the device."""
    if find_device().type == "cuda":
        torch.cuda.synchronize()
    elif find_device().type == "mps":
        torch.mps.synchronize()
