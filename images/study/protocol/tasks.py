"""The jobs of a study, one function each, and what a job is before it is run.

The name of a result is a digest of all that it follows from: the data, the arm, the settings, and
the keys of the results that it needs. So a study that was stopped, or has got another arm, finds
again what it has, and nothing else.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import cast

from images.config import TokenizerConfig
from images.study.model import Setting
from images.study.protocol import measuring
from images.study.protocol.scoring import Bench
from images.study.protocol.speed import time_settings
from images.study.protocol.training import MODEL, ArmRun, TokenizerRun, untrained_arm
from refine_core.app.parallel import Job, Tick
from refine_core.errors import InputError
from refine_core.storage.files import digest, read_json

VERSION = 2
"""Part of every key: raised when the code of jobs changes their results."""
MODELS = ("tokenizer", "train")
"""Kinds of tasks that leave a model."""
Json = dict[str, object]
Run = Callable[[Path, Bench, Tick], Json]
"""Makes a result, given a folder of its own, what all jobs share, and what to tell progress to."""


@dataclass(frozen=True)
class Task:
    """One job by what it is.

    Args:
        kind: Name of the job.
        of: What it is done for: an arm and a seed, a setting.
        content: All that the result follows from besides the data and other results.
        needs: Other tasks, whose results it reads.
        cost: Rough CPU-seconds.
        run: What is done.
        root: Folder of the study's results and models.
        data: Digest of the data.
    """

    kind: str
    of: str
    content: Json
    needs: tuple["Task", ...]
    cost: float
    run: Run
    root: Path
    data: str

    @cached_property
    def key(self) -> str:
        """Digest of all that the result follows from."""
        needs = [need.key for need in self.needs]
        parts = [VERSION, self.data, self.kind, self.content, needs]
        return digest(json.dumps(parts, sort_keys=True))

    @property
    def name(self) -> str:
        """What it is in words."""
        return f"{self.kind} of {self.of}"

    @property
    def path(self) -> Path:
        """File of the result."""
        return self.root / "results" / self.kind / f"{self.of}-{self.key}.json"

    @property
    def home(self) -> Path:
        """Folder of the model that it trains."""
        return self.root / "models" / f"{self.kind}-{self.of}-{self.key}"

    def job(self, rank: int) -> Job[Bench]:
        """The job to be run, see `refine_core.app.parallel.Job`."""
        needs = tuple(need.path for need in self.needs)
        return Job(self.path, self.cost, partial(self.run, self.home), needs, rank)

    def read(self) -> Json | None:
        """The result, if it is there, with the `key` by which a study finds it again."""
        return {**_read(self.path), "key": self.key} if self.path.exists() else None

    def forget_lost(self) -> None:
        """Forget the results of what this needs the model of, where the model is not there."""
        for need in self.needs:
            if need.kind in MODELS and not (need.home / MODEL).exists():
                need.path.unlink(missing_ok=True)
            if not need.path.exists():
                need.forget_lost()


def tokenize(config: TokenizerConfig, seed: int, home: Path, bench: Bench, tick: Tick) -> Json:
    """Train a tokeniser, and score what it reconstructs."""
    return TokenizerRun(config, seed, home).train(bench, tick)


def try_rate(run: ArmRun, rate: float, home: Path, bench: Bench, tick: Tick) -> Json:
    """Train an arm with one learning rate for a share of the budget; its loss, if it has one."""
    own, loss = replace(run, folder=home), None
    try:
        share = bench.config.tuning.share
        found = own.train(bench, tick, learning_rate=rate, share=share, measure=lambda model: {})
        (row,) = cast(list[Json], found["curve"])
        loss = row["held_loss"]
    except InputError as error:
        if not _diverged(error):
            raise
    shutil.rmtree(home)
    return {"learning_rate": rate, "held_loss": loss}


def train(run: ArmRun, trials: Sequence[Path], home: Path, bench: Bench, tick: Tick) -> Json:
    """Train an arm with the learning rate whose trial has the smallest loss of held-out images.

    Where that diverges, which a longer training may, the next best is taken.

    Raises:
        InputError: All diverged.
    """
    tried = [each for each in map(_read, trials) if each["held_loss"] is not None]
    failed: list[float] = []
    for best in sorted(tried, key=lambda each: cast(float, each["held_loss"])):
        rate = cast(float, best["learning_rate"])
        try:
            found = replace(run, folder=home).train(
                bench,
                tick,
                learning_rate=rate,
                points=bench.config.budget.points,
                measure=lambda model: measuring.trial_scores(model, bench, run.seed),
            )
        except InputError as error:
            if not _diverged(error):
                raise
            failed.append(rate)
            shutil.rmtree(home)
        else:
            return {**found, "diverged": failed}
    raise InputError(
        f"The training of {run.arm} diverges with every learning rate: give smaller "
        "`tuning.learning_rates`."
    )


def guide(run: ArmRun, settings: Sequence[Setting], home: Path, bench: Bench, tick: Tick) -> Json:
    """Choose the weights of guidance of all settings."""
    return measuring.choose_guidance(run.load(bench), bench, settings, run.seed, tick)


def score(
    run: ArmRun,
    setting: Setting,
    guidance: Path | None,
    unguided: Path | None,
    home: Path,
    bench: Bench,
    tick: Tick,
) -> Json:
    """All scores of one setting.

    Args:
        run: The trained arm.
        setting: Without guidance.
        guidance: Result of the choice of guidance; None samples without.
        unguided: Result without guidance, which holds if no guidance was chosen.
        home: Not used.
        bench: The study's data.
        tick: Told of progress.
    """
    if guidance is not None:
        setting = _guided(setting, guidance, bench)
    if unguided is not None and setting.guidance == 0:
        return _read(unguided)
    return measuring.measure_point(run.load(bench), bench, setting, run.seed, tick)


def count_bits(run: ArmRun, home: Path, bench: Bench, tick: Tick) -> Json:
    """Bits per dimension."""
    return measuring.measure_bits(run.load(bench), bench, run.seed, tick)


def follow_energy(
    run: ArmRun, setting: Setting, guidance: Path, home: Path, bench: Bench, tick: Tick
) -> Json:
    """Energy after each call of the judged setting, guided as chosen."""
    setting = _guided(setting, guidance, bench)
    return measuring.measure_energy(run.load(bench), bench, setting, run.seed, tick)


def compare_real(home: Path, bench: Bench, tick: Tick) -> Json:
    """Scores of real images, which no arm is expected to beat."""
    return measuring.measure_floor(bench)


def time_arms(
    settings: Mapping[str, Sequence[Setting]], home: Path, bench: Bench, tick: Tick
) -> Json:
    """Time every setting that is measured, guided ones with a weight of one.

    Arms are untrained, for their time does not follow from their weights.
    """
    models = {name: untrained_arm(name, bench).eval() for name in settings}
    both = {
        name: [replace(s, guidance=w) for s in all_ for w in (0, 1)]
        for name, all_ in settings.items()
    }
    rows = time_settings(models, both, bench, tick)
    return {"rows": rows, "load": os.getloadavg()[0]}


def _guided(setting: Setting, guidance: Path, bench: Bench) -> Setting:
    """A setting with the weight that was chosen for its group."""
    chosen = cast(dict[str, Json], _read(guidance)["groups"])
    own = chosen[measuring.group(setting, bench.config.measurement.many)]
    return replace(setting, guidance=cast(float, own["guidance"]))


def _diverged(error: InputError) -> bool:
    return "diverged" in str(error)


def _read(path: Path) -> Json:
    return read_json(path, dict, "delete it, to have it made again")
