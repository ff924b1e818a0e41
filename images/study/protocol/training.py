"""Training of tokenisers and arms: as many steps as the budget allows, with a learning curve."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, pvariance

import torch
from torch import Tensor, nn

from images.build import build_tokenizer
from images.config import TokenizerConfig
from images.study import build
from images.study.config import BackboneConfig, Budget
from images.study.model import StudyModel
from images.study.protocol.scoring import Bench
from refine_core.app.parallel import Tick
from refine_core.noise import Noise
from refine_core.residual import ResidualTokenizer
from refine_core.storage import checkpoint
from refine_core.storage.files import read_json, write_json
from refine_core.training.callbacks import Callback
from refine_core.training.data import Batch, Tensors
from refine_core.training.stages import Stages
from refine_core.training.state import Module, TrainState
from refine_core.training.step import trained_parameters

KIND = "images.study"
"""Kind of the checkpoints of a study."""
MODEL, CURVE = "model.safetensors", "curve.json"
"""Files in the folder of a run."""
FEW = 1000
"""Images by which an arm is built whose weights and statistics are read from a file."""
LOSS_IMAGES = 1000
"""Held-out images on which the loss is computed, at most."""

Row = dict[str, float | None]


class Repeated(Tensors):
    """Tensors gone through again and again: sample i is row i modulo their length.

    Args:
        count: Count of samples.
        tensors: Of one length.
    """

    def __init__(self, count: int, *tensors: Tensor) -> None:
        super().__init__(*tensors)
        self.count = count

    def __len__(self) -> int:
        """Count of samples."""
        return self.count

    def __getitem__(self, index: Tensor) -> Batch:
        """Rows of samples `index`."""
        return super().__getitem__(index % len(self.tensors[0]))


class Ticks(Callback[Module]):
    """Tells after each step which share of the work it was.

    Args:
        tick: Is told.
        steps: All steps.
    """

    def __init__(self, tick: Tick, steps: int) -> None:
        self.tick, self.steps = tick, steps

    def end_step(self, state: TrainState[Module]) -> None:
        """Called after each step."""
        self.tick(1 / self.steps)


class Curve(Callback[StudyModel]):
    """Measures a training at some of its steps, into a file that a resumed run goes on with.

    A row holds the step, the mean training loss since the row before, mean and variance of the
    gradient's norm, the seconds of processor time that a step took, and what `measure` returns.

    Args:
        path: The file, rows as JSON.
        at: Steps after which to measure.
        measure: Scores of the averaged model, in evaluation mode.
    """

    def __init__(
        self, path: Path, at: Sequence[int], measure: Callable[[StudyModel], Row]
    ) -> None:
        self.path, self.at, self.measure = path, sorted(set(at)), measure
        remedy = "delete its folder, to train anew"
        self.rows: list[Row] = read_json(path, list, remedy) if path.exists() else []
        self.started, self.counted = time.process_time(), 0

    def start(self, state: TrainState[StudyModel]) -> None:
        """Measure what a run that was stopped has not come to measure."""
        if state.step in self.at and len(self.rows) <= self.at.index(state.step):
            self._measure(state)

    def end_step(self, state: TrainState[StudyModel]) -> None:
        """Called after each step."""
        self.counted += 1
        if state.step in self.at:
            self._measure(state)

    def _measure(self, state: TrainState[StudyModel]) -> None:
        seconds, place = time.process_time() - self.started, self.at.index(state.step)
        since = state.metrics[self.at[place - 1] if place else 0 : state.step]
        norms = [row["grad_norm"] for row in since]
        row: Row = {
            "step": state.step,
            "loss": fmean(row["loss"] for row in since),
            "grad_mean": fmean(norms),
            "grad_var": pvariance(norms),
            "seconds_per_step": seconds / self.counted if self.counted else None,
        }
        with torch.no_grad():
            row |= self.measure(state.averaged.eval())
        # A run that goes on from an earlier checkpoint comes by here again.
        self.rows = [*self.rows[:place], row]
        write_json(self.path, self.rows)
        self.started, self.counted = time.process_time(), 0


def curve_steps(steps: int, points: int) -> list[int]:
    """Steps at which a learning curve has its points, each about twice the one before.

    >>> curve_steps(3000, 4)
    [375, 750, 1500, 3000]
    """
    return sorted({max(1, steps // 2 ** (points - 1 - place)) for place in range(points)})


@dataclass(frozen=True)
class TokenizerRun:
    """The training of a tokeniser.

    Args:
        config: Its config.
        seed: Seed of weights, order and noise.
        folder: Where its model goes.
    """

    config: TokenizerConfig
    seed: int
    folder: Path

    def train(self, bench: Bench, tick: Tick) -> dict[str, object]:
        """Train it, write it, and score its reconstructions of test images."""
        stages = Stages(self.folder, self.seed, bench.fingerprint, quiet=True)
        with stages.seeded(1):
            tokens = untrained_tokenizer(self.config, bench)
        training, started = self.config.training, time.process_time()
        steps = training.epochs * (len(bench.train) // training.batch)
        tokens = stages.train(
            tokens,
            Tensors(bench.train.images),
            training,
            stream=2,
            config=self.config,
            callbacks=[Ticks(tick, steps)],
        )
        seconds = time.process_time() - started
        _save(tokens, self.folder)
        test = bench.real("test", bench.config.measurement.samples).images
        with torch.no_grad():
            decoded = torch.cat([tokens.decode(tokens.encode(part)) for part in test.split(500)])
            parts = [tokens.decoder(tokens.features(part)) for part in test.split(500)]
        return {
            **bench.score(decoded, "test"),
            "unquantised": bench.score(torch.cat(parts), "test", brief=True)["frechet"],
            "mse": float((decoded - test).double().square().mean()),
            "seconds": seconds,
            "parameters": sum(p.numel() for p in tokens.parameters()),
        }

    def load(self, bench: Bench) -> ResidualTokenizer:
        """Read the trained tokeniser."""
        tokens = untrained_tokenizer(self.config, bench)
        _load(tokens, self.folder)
        return tokens.eval()


def untrained_tokenizer(config: TokenizerConfig, bench: Bench) -> ResidualTokenizer:
    """Tokeniser of the study's images."""
    channels, height, width = bench.train.images.shape[1:]
    return build_tokenizer(config, channels, (height, width))


@dataclass(frozen=True)
class RunConfig:
    """What is recorded of the training of an arm, which is not continued with another."""

    arm: str
    learning_rate: float
    steps: int
    backbone: BackboneConfig
    budget: Budget


@dataclass(frozen=True)
class ArmRun:
    """The training of an arm.

    Args:
        arm: Its name.
        seed: Seed of weights, order and noise.
        tokenizer: Its trained tokeniser, for arms that have one.
        folder: Where its model goes.
    """

    arm: str
    seed: int
    tokenizer: TokenizerRun | None
    folder: Path

    def train(
        self,
        bench: Bench,
        tick: Tick,
        *,
        learning_rate: float,
        share: float = 1.0,
        points: int = 1,
        measure: Callable[[StudyModel], Row],
    ) -> dict[str, object]:
        """Train the arm, or go on with its training; write the model, averaged.

        Args:
            bench: The study's data.
            tick: Called after each step with its share of the work.
            learning_rate: At its peak.
            share: Share of the budget.
            points: Points of the learning curve, the last after the last step.
            measure: Computes what a point shows beside losses and gradients.

        Raises:
            InputError: The training diverged.
        """
        config, train = bench.config, bench.train
        assert train.labels is not None
        stages = Stages(self.folder, self.seed, bench.fingerprint, quiet=True)
        with stages.seeded(1):
            model = self._build(bench, bench.train.images)
        steps = config.budget.steps(model.tokens, share)
        curve = Curve(
            self.folder / CURVE,
            curve_steps(steps, points),
            lambda averaged: {"held_loss": held_loss(averaged, bench), **measure(averaged)},
        )
        model = stages.train(
            model,
            Repeated(steps * config.budget.batch, train.images, train.labels),
            config.budget.optimisation(learning_rate),
            stream=2,
            config=RunConfig(self.arm, learning_rate, steps, config.backbone, config.budget),
            callbacks=[curve, Ticks(tick, steps)],
        )
        _save(model, self.folder)
        return {
            "learning_rate": learning_rate,
            "steps": steps,
            "tokens": model.tokens,
            "parameters": trained_parameters(model),
            "curve": curve.rows,
        }

    def load(self, bench: Bench) -> StudyModel:
        """Read the trained arm."""
        model = self._build(bench, bench.train.images[:FEW])
        _load(model, self.folder)
        return model.eval()

    def _build(self, bench: Bench, images: Tensor) -> StudyModel:
        tokens = None if self.tokenizer is None else self.tokenizer.load(bench)
        return build.build_arm(self.arm, bench.config, tokens, images, bench.classes)


def untrained_arm(name: str, bench: Bench) -> StudyModel:
    """An arm on an untrained tokeniser, to be asked for what does not depend on the training."""
    config, few = build.arm_tokenizer(name, bench.config), bench.train.images[:FEW]
    with torch.random.fork_rng(devices=[]):
        tokens = None if config is None else untrained_tokenizer(config, bench)
        return build.build_arm(name, bench.config, tokens, few, bench.classes)


@torch.no_grad()
def held_loss(model: StudyModel, bench: Bench) -> float:
    """Loss of held-out images, always with the same noise."""
    count = min(LOSS_IMAGES, len(bench.held))
    real, labels, total = bench.real("held", count).images, bench.labels("held", count), 0.0
    for index in torch.arange(count).split(250):
        loss = model((real[index], labels[index]), Noise(0, index))["loss"]
        total += float(loss) * len(index)
    return total / count


def _save(module: nn.Module, folder: Path) -> None:
    """Write the weights, and delete the larger checkpoint from which a run goes on."""
    checkpoint.save(folder / MODEL, module.state_dict(), {"kind": KIND, "config": {}})
    (folder / "last.safetensors").unlink(missing_ok=True)


def _load(module: nn.Module, folder: Path) -> None:
    checkpoint.load_into(module, checkpoint.load(folder / MODEL, KIND).tensors)
