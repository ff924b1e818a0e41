"""The results of a study in one JSON value, from which the report is made."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version

from images.study.protocol.plan import SeedTasks, StudyPlan
from images.study.protocol.scoring import Bench
from images.study.protocol.tasks import Json
from images.study.registry import ARMS
from refine_core.config.schema import to_dict
from refine_core.storage.checkpoint import versions


def record(plan: StudyPlan, bench: Bench) -> Json:
    """Every result that is there, and the names of those that are missing."""
    return {
        "config": to_dict(bench.config),
        "data": bench.fingerprint,
        "versions": versions() | _samplers(),
        "training_images": len(bench.train),
        "real": plan.real.read(),
        "tokenizers": [
            {**found, "name": task.of} for task in plan.tokenizers if (found := task.read())
        ],
        "arms": {name: _arm(name, plan) for name in plan.traits},
        "timing": plan.timing.read(),
        "missing": [task.name for task in plan.missing()],
    }


def _samplers() -> dict[str, str]:
    """The version of the library of diffusion's samplers, where it is installed."""
    try:
        return {"diffusers": version("diffusers")}
    except PackageNotFoundError:
        return {}


def results(found: object) -> Iterator[tuple[str, Json]]:
    """Every result in a record by its key, some with fields that say what they are of."""
    if isinstance(found, list):
        for each in found:
            yield from results(each)
    elif isinstance(found, dict):
        if "key" in found:
            yield found["key"], {k: v for k, v in found.items() if k != "key"}
        for each in found.values():
            yield from results(each)


def _arm(name: str, plan: StudyPlan) -> Json:
    traits = plan.traits[name]
    return {
        "about": asdict(ARMS[name]),
        "tokens": traits.tokens,
        "parameters": traits.parameters,
        "trials": [found for task in plan.trials[name] if (found := task.read())],
        "guidance": plan.guidance[name].read(),
        "seeds": {str(seed): _seed(tasks) for seed, tasks in plan.seeds[name].items()},
    }


def _seed(tasks: SeedTasks) -> Mapping[str, object]:
    points = [
        {**found, "calls": setting.calls, "sampler": setting.sampler, "guided": guided}
        for (setting, guided), task in tasks.points.items()
        if (found := task.read())
    ]
    return {
        "tokenizer": None if tasks.tokenizer is None else tasks.tokenizer.key,
        "train": tasks.train.read(),
        "points": points,
        "bits": None if tasks.bits is None else tasks.bits.read(),
        "energy": tasks.energy.read(),
    }
