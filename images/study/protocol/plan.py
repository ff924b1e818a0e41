"""All jobs of a study, arm by arm, and what they will take."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain, count

from images.study import build
from images.study.model import Setting
from images.study.protocol import tasks
from images.study.protocol.measuring import groups, judged
from images.study.protocol.scoring import Bench
from images.study.protocol.speed import Speed
from images.study.protocol.tasks import Json, Run, Task
from images.study.protocol.training import ArmRun, TokenizerRun, untrained_arm
from images.study.registry import ARMS
from refine_core.app.parallel import Job
from refine_core.config.schema import to_dict
from refine_core.errors import InputError
from refine_core.storage.files import write_json
from refine_core.training.step import trained_parameters


@dataclass(frozen=True)
class Traits:
    """What is known of an arm before it is trained.

    Args:
        tokens: See `StudyModel`.
        parameters: Count of trained parameters.
        settings: Those of its settings that are measured, unguided.
        judged: The setting by which it is tuned.
    """

    tokens: int
    parameters: int
    settings: tuple[Setting, ...]
    judged: Setting


@dataclass(frozen=True)
class SeedTasks:
    """The tasks of one arm and one seed.

    Args:
        run: Its training.
        train: The task of the training.
        points: Tasks by setting, and whether it is guided.
        bits: Its bits per dimension; None where they are left out.
        energy: Its energy after each call.
        tokenizer: The tokeniser that it stands on.
    """

    run: ArmRun
    train: Task
    points: Mapping[tuple[Setting, bool], Task]
    bits: Task | None
    energy: Task
    tokenizer: Task | None

    def __iter__(self) -> Iterator[Task]:
        """All of them but the tokeniser, which others share."""
        yield from (self.train, *self.points.values(), self.energy)
        yield from () if self.bits is None else (self.bits,)


@dataclass(frozen=True)
class StudyPlan:
    """All tasks of a study.

    Args:
        traits: By name of the arm.
        tokenizers: Each once.
        trials: By name of the arm, one for each learning rate.
        guidance: By name of the arm, the choice of its weights of guidance.
        seeds: By name of the arm and seed.
        real: The scores of real images.
        timing: The time of every setting of all arms.
    """

    traits: Mapping[str, Traits]
    tokenizers: tuple[Task, ...]
    trials: Mapping[str, tuple[Task, ...]]
    guidance: Mapping[str, Task]
    seeds: Mapping[str, Mapping[int, SeedTasks]]
    real: Task
    timing: Task

    def __iter__(self) -> Iterator[Task]:
        yield from (self.real, self.timing)
        yield from self.tokenizers
        for name, by_seed in self.seeds.items():
            yield from self.trials[name]
            yield self.guidance[name]
            for each in by_seed.values():
                yield from each

    def missing(self) -> list[Task]:
        """Tasks that have no result yet."""
        return [task for task in self if not task.path.exists()]

    def jobs(self) -> Iterator[Job[Bench]]:
        """All jobs, ranked by seed and by arm: a study that is stopped has whole ones of both."""
        ranks = count()
        for task in (self.real, self.timing, *chain(*self.trials.values())):
            yield task.job(next(ranks))
        for seed in next(iter(self.seeds.values())):
            for name, by_seed in self.seeds.items():
                tasks, rank = by_seed[seed], next(ranks)
                shared = () if tasks.tokenizer is None else (tasks.tokenizer,)
                every = (*shared, *tasks, self.guidance[name])
                yield from (task.job(rank) for task in every)

    def restore(self, results: Mapping[str, Json]) -> None:
        """Write results by their keys, where they are missing."""
        for task in self.missing():
            if task.key in results:
                write_json(task.path, results[task.key])

    def forget_lost(self) -> None:
        """Forget results that come with a model, where a missing task needs it and it is lost."""
        for task in self.missing():
            task.forget_lost()


def make_plan(bench: Bench, speed: Speed) -> StudyPlan:
    """Plan a study.

    Raises:
        InputError: No setting of an arm has one of the counts of calls that are measured.
    """
    return _Planner(bench, speed).plan()


class _Planner:
    """Makes the tasks of each arm, which share tokenisers.

    Args:
        bench: The study's data.
        speed: Of this machine.
    """

    def __init__(self, bench: Bench, speed: Speed) -> None:
        self.bench, self.config, self.speed = bench, bench.config, speed
        self.tokenizers: dict[str, Task] = {}

    def plan(self) -> StudyPlan:
        """All tasks."""
        traits = {name: self._traits(name) for name in self.config.arms}
        trials, guidance = dict[str, tuple[Task, ...]](), dict[str, Task]()
        seeds = dict[str, dict[int, SeedTasks]]()
        for name in self.config.arms:
            trials[name] = tuple(
                self._trial(name, rate) for rate in self.config.learning_rates(name)
            )
            trained = {
                seed: self._train(name, seed, traits[name], trials[name])
                for seed in self.config.seeds
            }
            guidance[name] = self._guidance(*trained[self.config.seeds[0]], traits[name])
            seeds[name] = {
                seed: self._seed(run, train, guidance[name], traits[name])
                for seed, (run, train) in trained.items()
            }
        measured = self.config.measurement
        content: Json = {"count": measured.samples, "energy": measured.energy_samples}
        real = self._task("real", "images", content, (), 10.0, tasks.compare_real)
        content = {
            "images": measured.timed_images,
            "rounds": measured.timed_rounds,
            "settings": {name: list(map(asdict, t.settings)) for name, t in traits.items()},
        }
        time_arms = partial(tasks.time_arms, {name: t.settings for name, t in traits.items()})
        # Guided calls cost twice as much.
        cost = (
            3
            * measured.timed_rounds
            * sum(
                self._sampling_cost(name, each, setting, measured.timed_images) - 1  # no scores
                for name, each in traits.items()
                for setting in each.settings
            )
        )
        timing = self._task("timing", "arms", content, (), cost, time_arms)
        return StudyPlan(
            traits, tuple(self.tokenizers.values()), trials, guidance, seeds, real, timing
        )

    def _traits(self, name: str) -> Traits:
        model = untrained_arm(name, self.bench)
        settings, wanted = model.settings(), self.config.measurement
        calls, samplers = wanted.calls, ("", *wanted.samplers)
        counted = [each for each in settings if each.calls in calls]
        measured = tuple(s for s in counted if s.calls <= wanted.many or s.sampler in samplers)
        if not measured:
            found = ", ".join(str(each.calls) for each in settings)
            raise InputError(
                f"Found `measurement.calls` {list(calls)}, but {name} samples in {found} calls: "
                "add one of them."
            )
        chosen = judged(list(measured), self.config.tuning.calls)
        return Traits(model.tokens, trained_parameters(model), measured, chosen)

    def _task(
        self,
        kind: str,
        of: str,
        content: Json,
        needs: tuple[Task, ...],
        cost: float,
        run: Run,
    ) -> Task:
        content = {**content, "revision": self.config.revision}
        return Task(kind, of, content, needs, cost, run, self.bench.folder, self.bench.fingerprint)

    def _tokenizer(self, name: str, seed: int) -> tuple[Task, TokenizerRun] | None:
        """The tokeniser of an arm, one for all arms that stand on the same."""
        config = build.arm_tokenizer(name, self.config)
        if config is None:
            return None
        of = f"{'-'.join(map(str, config.sizes))}-s{seed}"
        measured = self.config.measurement.samples
        content: Json = {"config": to_dict(config), "seed": seed, "samples": measured}
        cost = len(self.bench.train) * config.training.epochs * self.speed.tokenize
        task = self._task(
            "tokenizer", of, content, (), cost, partial(tasks.tokenize, config, seed)
        )
        task = self.tokenizers.setdefault(task.key, task)
        return task, TokenizerRun(config, seed, task.home)

    def _training(self, name: str, seed: int) -> tuple[ArmRun, Json, tuple[Task, ...]]:
        """A training that has no folder yet, what it follows from, and what it needs."""
        found, budget = self._tokenizer(name, seed), to_dict(self.config.budget)
        budget.pop("points")
        arm = {key: value for key, value in asdict(ARMS[name]).items() if key != "label"}
        tuning = self.config.tuning
        content: Json = {
            "arm": [name, arm],
            "seed": seed,
            "backbone": to_dict(self.config.backbone),
            "forward": to_dict(self.config.forward),
            "budget": budget,
            "judged": [tuning.samples, tuning.calls],
        }
        task, tokenizer = found or (None, None)
        run = ArmRun(name, seed, tokenizer, self.bench.folder)
        return run, content, () if task is None else (task,)

    def _trial(self, name: str, rate: float) -> Task:
        share = self.config.tuning.share
        run, content, needs = self._training(name, self.config.seeds[0])
        content |= {"learning_rate": rate, "share": share}
        cost = self._training_cost(share)
        try_rate = partial(tasks.try_rate, run, rate)
        return self._task("trial", f"{name}-{rate:g}", content, needs, cost, try_rate)

    def _train(
        self, name: str, seed: int, traits: Traits, trials: tuple[Task, ...]
    ) -> tuple[ArmRun, Task]:
        run, content, needs = self._training(name, seed)
        points = self.config.budget.points
        content |= {"points": points}
        cost = self._training_cost(1.0) + points * self._judging_cost(name, traits)
        fit = partial(tasks.train, run, tuple(each.path for each in trials))
        train = self._task("train", f"{name}-s{seed}", content, (*needs, *trials), cost, fit)
        return replace(run, folder=train.home), train

    def _guidance(self, run: ArmRun, train: Task, traits: Traits) -> Task:
        """The choice of weights for all settings, and for all seeds by the first."""
        tuning, measured = self.config.tuning, self.config.measurement
        by = {
            group: judged(members, tuning.calls)
            for group, members in groups(traits.settings, measured.many).items()
        }
        content: Json = {
            "candidates": tuning.guidance,
            "samples": tuning.samples,
            "judged": {group: setting.calls for group, setting in by.items()},
        }
        cost = sum(self._sampling_cost(run.arm, traits, s, tuning.samples) for s in by.values())
        cost *= 1.8 * len(tuning.guidance)
        guide = partial(tasks.guide, run, traits.settings)
        of = f"{run.arm}-s{run.seed}"
        return self._task("guidance", of, content, (train,), cost, guide)

    def _seed(self, run: ArmRun, train: Task, guidance: Task, traits: Traits) -> SeedTasks:
        tuning, measured, name = self.config.tuning, self.config.measurement, run.arm
        content: Json = {
            "samples": measured.energy_samples,
            "calls": tuning.calls,
            "floor": measured.samples,
        }
        cost = 3 * self._sampling_cost(name, traits, traits.judged, measured.energy_samples)
        follow = partial(tasks.follow_energy, run, traits.judged, guidance.path)
        of, needs = f"{name}-s{run.seed}", (train, guidance)
        energy = self._task("energy", of, content, needs, cost, follow)
        points_of = dict(self._points(run, train, guidance, traits))
        found = self._tokenizer(name, run.seed)
        return SeedTasks(
            run,
            train,
            points_of,
            self._bits(run, train, traits),
            energy,
            None if found is None else found[0],
        )

    def _points(
        self, run: ArmRun, train: Task, guidance: Task, traits: Traits
    ) -> Iterator[tuple[tuple[Setting, bool], Task]]:
        """A task for each setting, unguided where that is asked for, and guided."""
        measured = self.config.measurement
        for setting in traits.settings:
            of = f"{run.arm}-s{run.seed}-{setting.sampler or 'calls'}-{setting.calls}"
            content: Json = {"setting": asdict(setting), "samples": measured.samples}
            cost = self._sampling_cost(run.arm, traits, setting, measured.samples)
            plain = None
            if setting.calls <= measured.unguided_calls or ARMS[run.arm].once:
                score = partial(tasks.score, run, setting, None, None)
                plain = self._task("unguided", of, content, (train,), cost, score)
                yield (setting, False), plain
            path = None if plain is None else plain.path
            needs = (train, guidance) if plain is None else (train, guidance, plain)
            score = partial(tasks.score, run, setting, guidance.path, path)
            yield (
                (setting, True),
                self._task("guided", of, content, needs, 2 * cost, score),
            )

    def _bits(self, run: ArmRun, train: Task, traits: Traits) -> Task | None:
        measured = self.config.measurement
        if not measured.bits_images:
            return None
        content: Json = {"images": measured.bits_images, "fit": measured.fit_images}
        calls = {"flow": 250, "diffusion": 20, "absorbing": 20}.get(ARMS[run.arm].method, 1)
        fitting = 15 if ARMS[run.arm].once else 75
        cost = fitting + traits.tokens * calls * measured.bits_images * self._token_cost(run.arm)
        of = f"{run.arm}-s{run.seed}"
        return self._task("bits", of, content, (train,), cost, partial(tasks.count_bits, run))

    def _training_cost(self, share: float) -> float:
        return self.config.budget.tokens * share * self.speed.train

    def _judging_cost(self, name: str, traits: Traits) -> float:
        return self._sampling_cost(name, traits, traits.judged, self.config.tuning.samples)

    def _sampling_cost(self, name: str, traits: Traits, setting: Setting, count: int) -> float:
        """Seconds to sample and score, unguided."""
        calls = 1 if ARMS[name].once else setting.calls
        return 1 + (traits.tokens * calls * self._token_cost(name) + 1e-3) * count

    def _token_cost(self, name: str) -> float:
        return self.speed.scales if ARMS[name].once else self.speed.steps
