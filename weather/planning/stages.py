"""Parameters, memory, disk and time of every stage of a model, before anything is run."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from refine_core.app.processes.memory import readable_size, usable_memory
from refine_core.errors import InputError
from weather.calibration.candidate import RolloutConfig
from weather.calibration.single_step import WINDOWS
from weather.config import WeatherConfig
from weather.data.windows import AT_ONCE
from weather.fields.grid import Grid
from weather.forecast.run import LARGE
from weather.forecast.size import check_count
from weather.forecaster.rollout import GROUP
from weather.io.values import BUDGET
from weather.model import load
from weather.planning.networks import (
    SECTIONS,
    Cost,
    Trained,
    errors_cost,
    sampling_cost,
    settings,
    training_cost,
    warm_up,
)
from weather.planning.outline import Outline, outline
from weather.planning.speed import (
    preparation_seconds,
    sampling_rate,
    training_rate,
    verification_seconds,
)
from weather.verification.measurement import HELD_BUDGETS, LEAST_MEMBERS

ALLOCATED = 1.2
"""Bytes that a process takes for each of a living array: measured, 1.07 to 1.2 in training."""
MAPS = 15
"""Maps of a member that are in memory around a step, beside the network's: measured, 10 to 20."""
CANDIDATES = 3
"""Candidates that `refine weather calibrate` rolls out by default."""


@dataclass(frozen=True)
class Stage:
    """What a stage needs.

    Args:
        name: Its name.
        memory: Bytes of the process at its peak, libraries included.
        disk: Bytes that it leaves on disk, at most.
        seconds: Time that it takes.
        parameters: Numbers that it trains; None where nothing is.
        lower: What to lower where it does not fit.
    """

    name: str
    memory: float
    disk: float
    seconds: float
    parameters: int | None = None
    lower: str = ""


@dataclass(frozen=True)
class ResourcePlan:
    """What all stages need.

    Args:
        stages: In their order.
        data: The grid, and counts of states and windows.
        threads: Threads of torch that times are for.
        notes: What the numbers rest on, in sentences.
        memory: Bytes of memory that there are.
    """

    stages: tuple[Stage, ...]
    data: Outline
    threads: int
    notes: tuple[str, ...]
    memory: int = field(default_factory=usable_memory)

    @property
    def total(self) -> Stage:
        """The peak of the memory, and sums of the rest."""
        every = self.stages
        return Stage(
            "together",
            max(each.memory for each in every),
            sum(each.disk for each in every),
            sum(each.seconds for each in every),
            sum(each.parameters or 0 for each in every),
        )

    def problems(self, disk: int | None = None) -> list[str]:
        """A sentence for each stage that does not fit, and for the disk.

        Args:
            disk: Bytes that are free; by default in the current folder.
        """
        disk = shutil.disk_usage(Path()).free if disk is None else disk
        found = [
            f"{each.name} needs {readable_size(each.memory)} of memory, there are "
            f"{readable_size(self.memory)}: {each.lower}."
            for each in self.stages
            if each.memory > self.memory
        ]
        if self.total.disk > disk:
            most = max(self.stages, key=lambda each: each.disk)
            found.append(
                f"All stages together need {readable_size(self.total.disk)} of disk, there are "
                f"{readable_size(disk)} left, and {most.name} takes most: {_LESS_DISK[most.name]}."
            )
        return found


_LESS_DISK = {
    "prepare": "give fewer years, variables or levels, or a coarser grid",
    "forecast": "ask for fewer starts or members, or round values (--precision)",
}


def plan(
    config: WeatherConfig,
    *,
    grid: Grid | None = None,
    interval_hours: int | None = None,
    members: int = 50,
    steps: int = 10,
    starts: int = 20,
    batch: int = 25,
    memory: int | None = None,
) -> ResourcePlan:
    """Parameters, memory, disk and time of every stage, from data to verification.

    Networks are built without values, so this takes little memory whatever the grid. Times
    follow from the count of operations, and from pieces of the same work that are timed here: they
    are those of this machine, for torch's threads, as if nothing else ran.

    >>> from dataclasses import replace
    >>> import weather
    >>> from weather.forecaster.config import HeadConfig, NetworkConfig
    >>> from weather.samples import STATES
    >>> early = {"source": str(STATES), "gap_days": 4, "train": ("2019-11-01", "2019-11-20")}
    >>> late = {"validation": ("2019-11-25", "2019-12-05"), "test": ("2019-12-10", "2019-12-20")}
    >>> data = replace(weather.load("gcm").config.data, **early, **late)
    >>> mean, head = NetworkConfig(dim=16, depth=1, heads=2, width=8), HeadConfig(kind="gaussian")
    >>> made = weather.plan(weather.WeatherConfig(data=data, mean=mean, head=head), members=2)
    >>> [stage.name for stage in made.stages]
    ['prepare', 'mean', 'errors', 'calibrate', 'forecast', 'verify']
    >>> made.total.seconds > 0, made.memory > 10**9
    (True, True)

    Args:
        config: The configuration of data, model and training.
        grid: The grid, where it is not that of the data.
        interval_hours: Hours between the states of the data, where these cannot be opened; by
            default a step of the model.
        members: Members of the forecast.
        steps: Model steps of the forecast.
        starts: Initial times of the forecast.
        batch: Members that are forecast at a time.
        memory: Bytes of memory that there are; by default those of this machine.

    Raises:
        InputError: There are neither data nor a grid, the parts of the model do not fit together
            or to the grid, or a number is out of its range.
    """
    check_count(starts, members, steps, config.data.step_hours)
    libraries = _libraries()
    config, notes = _with_mean(config)
    data = outline(config.data, grid, interval_hours)
    if not data.known:
        notes.append(
            "The data could not be opened: their times are taken to be "
            f"{interval_hours or config.data.step_hours} hours apart."
        )
    notes.append(
        f"Pages of the prepared data, up to {readable_size(data.disk)}, are counted as memory by "
        "some tools; the system takes them back when it needs them."
    )
    there = usable_memory() if memory is None else memory
    room = (there - libraries) / ALLOCATED
    planned = _Planning(config, data, members, steps, starts, batch, room)
    found = [
        replace(each, memory=ALLOCATED * each.memory + libraries) for each in planned.stages()
    ]
    return ResourcePlan(tuple(found), data, torch.get_num_threads(), tuple(notes), there)


@dataclass(frozen=True)
class _Planning:
    """Computes the stages."""

    config: WeatherConfig
    data: Outline
    members: int
    steps: int
    starts: int
    batch: int
    room: float
    """Bytes of living arrays that memory has room for."""

    def stages(self) -> Iterator[Stage]:
        """All stages in their order."""
        yield self._prepare()
        mean = None if self.config.mean_from else self._train("mean")
        if mean is not None:
            yield mean
        step, weights = sampling_cost(self.config, self.data.grid, GROUP)
        rate = sampling_rate(self.config, self.data.grid, GROUP, step)
        yield self._errors(rate)
        kind = self.config.head.kind
        if kind == "refine":
            yield self._train("tokeniser")
        if self.config.head.is_trained:
            yield self._train("head")
        seconds = step.operations / rate / GROUP
        if kind != "deterministic":
            yield self._calibrate(step, weights, seconds)
        yield self._forecast(step, weights, seconds)
        yield self._verify()

    def _prepare(self) -> Stage:
        data = self.data
        numbers = data.disk / 4
        return Stage(
            "prepare",
            5 * max(data.block, data.state_bytes),
            data.disk,
            numbers * preparation_seconds(self.config),
            lower="divide the source into smaller chunks of time",
        )

    def _train(self, name: Trained) -> Stage:
        cost, opt = training_cost(self.config, self.data, name), settings(self.config, name)
        steps = opt.epochs * (self.data.windows["train"] // opt.batch)
        operations = steps * cost.operations + opt.epochs * cost.validation
        seconds = operations / training_rate(self.config, self.data.grid, name, cost)
        lower = self._lower(name) if cost.memory > self.room else ""
        return Stage(name, cost.memory, cost.checkpoint, seconds, cost.parameters, lower)

    def _lower(self, name: Trained) -> str:
        """What lets a training fit: the least count of parts of a batch, or a smaller network."""
        opt = settings(self.config, name)
        for parts in range(opt.accumulate + 1, opt.batch + 1):
            if opt.batch % parts == 0:
                cost = training_cost(self.config, self.data, name, parts)
                if cost.memory <= self.room:
                    return f"set {SECTIONS[name]}.training.accumulate to {parts}"
        section = "head.network" if name == "head" else "mean"
        return f"lower {section}.width or dim, as one window at a time takes too much"

    def _errors(self, rate: float) -> Stage:
        """Errors of the mean, and what heads learn from them before they are trained."""
        cost = errors_cost(self.config, self.data)
        lower = "lower mean.width, or give a coarser grid, or another head.kind"
        return Stage("errors", cost.memory, 0, cost.operations / rate, lower=lower)

    def _calibrate(self, step: Cost, weights: int, seconds: float) -> Stage:
        usual, data = RolloutConfig(), self.data
        count = max(1, min(32, AT_ONCE // data.window_bytes, data.windows["validation"]))
        single = (step.memory - weights) / GROUP * count + 2 * count * data.window_bytes
        rolled = 6 * usual.members * data.state_bytes + step.memory - weights
        work = CANDIDATES * usual.starts * usual.members * usual.steps
        work += min(WINDOWS, data.windows["validation"])
        lower = "forecast fewer members (--members), or give a coarser grid"
        return Stage(
            "calibrate", weights + max(single, rolled), weights / 4, work * seconds, lower=lower
        )

    def _forecast(self, step: Cost, weights: int, seconds: float) -> Stage:
        count = min(-(-self.batch // GROUP) * GROUP, self.members)
        member = (1 + self.steps) * self.data.state_bytes
        rolling = (2 * count + GROUP) * member + step.memory - weights
        memory = weights + max(3 * count * member, rolling)
        if member > LARGE:  # leads are written as they are computed
            memory = MAPS * GROUP * self.data.state_bytes + step.memory
        return Stage(
            "forecast",
            memory,
            self.starts * self.members * member,
            self.starts * (-(-self.members // GROUP) * GROUP) * self.steps * seconds,
            lower="lower --batch, or give a coarser grid",
        )

    def _verify(self) -> Stage:
        """The forecast beside its shuffled twin and ensembles of past years and errors."""
        data, others = self.data, max(LEAST_MEMBERS, self.members)
        variables = len({channel.variable for channel in self.config.data.channels})
        states = 2 * self.members + 2 * others + 4 * self.members / variables
        truth = self.starts * (1 + self.steps) * data.state_bytes
        read = min(truth + data.disk, HELD_BUDGETS * BUDGET)
        numbers = self.starts * self.members * self.steps * data.state_bytes / 4
        return Stage(
            "verify",
            states * data.state_bytes + read,
            0,
            numbers * verification_seconds(self.members),
            lower="verify fewer variables at a time (--variables)",
        )


def _with_mean(config: WeatherConfig) -> tuple[WeatherConfig, list[str]]:
    """The config with the network of the mean that it takes from another model."""
    if not config.mean_from:
        return config, []
    try:
        return replace(config, mean=load(config.mean_from, "cpu").config.mean), []
    except InputError:
        note = (
            f"The model {config.mean_from}, whose mean is used (mean_from), is not there: its "
            "network is taken to be as `mean` says."
        )
        return config, [note]


def _libraries() -> int:
    """Bytes of this process, which has loaded the libraries that all stages need."""
    with torch.random.fork_rng(devices=[]):
        warm_up()
    if sys.platform != "linux":
        return 0
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * 4096
