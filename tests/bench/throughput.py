"""Throughput of the shipped models on one device, as a share of what its matrix products reach."""

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
from refine_core.device import find_device
from refine_core.noise import Noise
from weather.forecast.initial_states import InitialStates
from weather.samples import STATES

Call = Callable[[], object]
Row = dict[str, str | float]


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


def peak(size: int) -> dict[str, float]:
    """FLOP a second of products of matrices of this size, in float32 and in bfloat16."""
    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        a = torch.randn(size, size, device=find_device(), dtype=dtype)
        found[str(dtype).removeprefix("torch.")] = 2 * size**3 / seconds(lambda a=a: a @ a)  # type: ignore[misc]
    return found


def seconds(call: Call, turns: int = 3) -> float:
    """The least time of a call that the device has finished, after one that is not timed."""
    taken = []
    for _ in range(turns + 1):
        _finish()
        start = time.perf_counter()
        call()
        _finish()
        taken.append(time.perf_counter() - start)
    return min(taken[1:])


def measure(name: str, count: int, best: dict[str, float]) -> Row:
    """Samples a second that a shipped model draws and learns from, and its shares of the peak.

    Args:
        name: Domain and name, such as images/mnist.
        count: Samples a call; of forecasts a fiftieth.
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
        row[f"{what}_per_s"] = work.count / taken
        row[f"{what}_share"] = counted.get_total_flops() / taken / best[number]
    return row


def _images(name: str, count: int) -> Work:
    model = images.load(name)
    labels = torch.arange(count) % max(1, model.classes)
    pixels = torch.rand(count, *model.shape)
    half = model.config.generator.training.precision != "32-true"
    batch = (pixels.to(model.device), labels.to(model.device))
    noise = Noise.range(0, count, model.device)

    def draw() -> Tensor:
        return model.sample(count, labels=labels, batch=count)

    return Work(count, draw, lambda: model.refiner(batch, noise), model.refiner, half)


def _graphs(name: str, count: int) -> Work:
    model = graphs.load(name)
    drawn = model.sample(count, batch=count).to(model.device)
    given = torch.zeros(count, len(model.properties.names), device=model.device)
    batch = (drawn, given) if model.properties.names else (drawn,)
    half = model.config.model.training.precision != "32-true"
    noise = Noise.range(0, count, model.device)

    def draw() -> object:
        return model.sample(count, batch=count)

    return Work(count, draw, lambda: model.refiner(batch, noise), model.refiner, half)


def _weather(name: str, count: int) -> Work:
    model, members = weather.load(name), max(1, count // 50)
    start = np.datetime64("2003-11-15T00", "ns")
    states = InitialStates.open(str(STATES), model).states(start)
    past = model.normalise(torch.from_numpy(np.asarray(states))).float()
    size, device = members, model.forecaster.device
    before = past.reshape(1, model.data.history, *past.shape[-3:]).expand(size, -1, -1, -1, -1)
    future = before[:, -1:, : len(model.channels)]
    forcing = future[:, :, :0]
    batch = tuple(each.to(device) for each in (before, future, forcing, torch.zeros(size, 1, 4)))
    noise = Noise.range(0, size, device)

    def draw() -> object:
        return list(model.rollout(states, start, members=members, steps=1))

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
