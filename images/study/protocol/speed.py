"""How long things take: a rough forecast before a study starts, and the timing of its arms."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

import torch

from images.study import build
from images.study.model import Setting, StudyModel
from images.study.protocol.measuring import judged
from images.study.protocol.scoring import Bench
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
        sample: Seconds for a token in one call of a sampler.
        tokenize: Seconds for an image in a training step of a tokeniser.
    """

    train: float
    sample: float
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
    """Try a few steps of the arm that stands for refinement, and of the tokeniser."""
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
    step = clock.fastest
    setting, labels = judged(model.settings(), config.tuning.calls), torch.zeros(IMAGES).long()
    calls = 1 if ARMS[config.refiner].method in ("scales", "parts") else setting.calls
    sampled = min(seconds(model, setting, labels) for _ in range(2))
    return Speed(
        train=step / (budget.batch * model.tokens),
        sample=sampled / (IMAGES * calls * model.tokens),
        tokenize=_tokenizer_seconds(bench),
    )


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
def seconds(model: StudyModel, setting: Setting, labels: torch.Tensor) -> float:
    """Processor time of sampling one batch.

    On one thread it is the time of a core, whatever else the machine is doing.
    """
    noise, started = Noise(0, torch.arange(len(labels))), time.process_time()
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
                took = seconds(models[name], setting, labels)
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
