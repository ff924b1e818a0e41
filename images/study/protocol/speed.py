"""How long things take: a rough forecast before a study starts, and the timing of its arms."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

import torch

from images.study import build
from images.study.model import Setting, StudyModel
from images.study.protocol.measuring import judged
from images.study.protocol.scoring import Bench, as_trained
from images.study.protocol.training import Repeated, untrained_arm, untrained_tokenizer
from images.study.registry import ARMS
from refine_core.app.parallel import Tick
from refine_core.noise import Noise
from refine_core.training.callbacks import Callback
from refine_core.training.data import Tensors
from refine_core.training.loop import fit
from refine_core.training.state import Module, TrainState

STEPS, IMAGES = 3, 50
"""Training steps and images that the forecast tries, on one arm."""


@dataclass(frozen=True)
class Speed:
    """Rough speed of this machine on one thread.

    Args:
        train: Seconds for a token of the transformer in a training step.
        scales: Seconds for a token of a sample, where each is computed once.
        steps: Seconds for a token of a sample in each call, where all are computed in all calls.
        tokenize: Seconds for an image in a training step of a tokeniser.
    """

    train: float
    scales: float
    steps: float
    tokenize: float


class _Clock(Callback[Module]):
    """Notes the time after each step."""

    def __init__(self) -> None:
        self.times = [time.process_time()]

    def end_step(self, state: TrainState[Module]) -> None:
        self.times.append(time.process_time())

    @property
    def fastest(self) -> float:
        """Seconds of the fastest step."""
        return min(b - a for a, b in zip(self.times, self.times[1:], strict=False))


def measure_speed(bench: Bench) -> Speed:
    """Try a few steps of training, and samples of an arm of each kind."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _measure(bench)
    finally:
        torch.set_num_threads(threads)


def _measure(bench: Bench) -> Speed:
    config, train = bench.config, bench.train
    model, budget = untrained_arm(config.refiner, bench), config.budget
    assert train.labels is not None
    data, clock = Repeated(STEPS * budget.batch, train.images, train.labels), _Clock[StudyModel]()
    opt = budget.optimisation(1e-6)
    fit(model, data, replace(opt, ema=None), seed=0, callbacks=[clock], quiet=True)
    iterated = (name for name in config.arms if not ARMS[name].once)
    return Speed(
        train=clock.fastest / (budget.batch * model.tokens),
        scales=_sample_seconds(config.refiner, bench),
        steps=_sample_seconds(next(iterated, config.refiner), bench),
        tokenize=_tokenizer_seconds(bench),
    )


def _sample_seconds(name: str, bench: Bench) -> float:
    """Seconds for a token that the transformer computes for a sample."""
    model, config, labels = untrained_arm(name, bench), bench.config, torch.zeros(IMAGES).long()
    setting = judged(model.settings(), config.tuning.calls)
    best = min(seconds(model, setting, labels, config.budget.precision) for _ in range(2))
    return best / (IMAGES * model.tokens * (1 if ARMS[name].once else setting.calls))


def _tokenizer_seconds(bench: Bench) -> float:
    """Seconds for an image in a training step of a tokeniser; 0 if no arm has one."""
    every = (build.arm_tokenizer(name, bench.config) for name in bench.config.arms)
    config = next((each for each in every if each is not None), None)
    if config is None:
        return 0.0
    opt, clock = replace(config.training, epochs=1, ema=None), _Clock[torch.nn.Module]()
    images = Tensors(bench.train.images[: STEPS * opt.batch])
    tokens = untrained_tokenizer(config, bench)
    fit(tokens, images, opt, seed=0, callbacks=[clock], quiet=True)
    return clock.fastest / opt.batch


@torch.no_grad()
def seconds(model: StudyModel, setting: Setting, labels: torch.Tensor, precision: str) -> float:
    """Processor time of sampling one batch.

    On one thread it is the time of a core, whatever else the machine is doing.
    """
    noise = Noise(0, torch.arange(len(labels)))
    with as_trained(model, precision):
        started = time.process_time()
        model.sample(noise, labels, setting)
        return time.process_time() - started


def time_settings(
    models: Mapping[str, StudyModel],
    settings: Mapping[str, Sequence[Setting]],
    bench: Bench,
    tick: Tick,
) -> list[dict[str, object]]:
    """Milliseconds an image of every setting, on one thread, in one fixed batch.

    Every round times all settings, and the median over rounds counts, so that whatever slows the
    machine down for a while slows down all alike.

    Args:
        models: Trained arms by name.
        settings: What to time of each, guided ones too.
        bench: The study's data.
        tick: Told of progress.

    Returns:
        A row for each setting, with the smallest and the largest time of a round.
    """
    measured, threads = bench.config.measurement, torch.get_num_threads()
    labels = torch.arange(measured.timed_images) % bench.classes
    pairs = [(name, setting) for name in models for setting in settings[name]]
    found: dict[tuple[str, Setting], list[float]] = {pair: [] for pair in pairs}
    torch.set_num_threads(1)
    try:
        for _ in range(measured.timed_rounds):
            for name, setting in pairs:
                took = seconds(models[name], setting, labels, bench.config.budget.precision)
                found[name, setting].append(1000 * took / len(labels))
            tick(1 / measured.timed_rounds)
    finally:
        torch.set_num_threads(threads)
    return [
        {
            "arm": name,
            "calls": setting.calls,
            "sampler": setting.sampler,
            "guided": setting.guidance != 0,
            "ms": median(times),
            "least": min(times),
            "most": max(times),
        }
        for (name, setting), times in found.items()
    ]
