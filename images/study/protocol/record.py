"""The results of a study in one JSON value, from which the report is made."""

from collections.abc import Mapping
from dataclasses import asdict

from images.study.protocol.plan import Plan, SeedTasks
from images.study.protocol.scoring import Bench
from images.study.protocol.tasks import Json, Task
from images.study.registry import ARMS
from refine_core.config.schema import to_dict
from refine_core.storage.checkpoint import versions


def record(plan: Plan, bench: Bench, timing: Task | None) -> Json:
    """Every result that is there, and the names of those that are missing."""
    timed = None if timing is None else timing.read()
    return {
        "config": to_dict(bench.config),
        "data": bench.fingerprint,
        "versions": versions(),
        "training_images": len(bench.train),
        "real": plan.real.read(),
        "tokenizers": [
            {"name": task.of, **found} for task in plan.tokenizers if (found := task.read())
        ],
        "arms": {name: _arm(name, plan) for name in plan.traits},
        "timing": [] if timed is None else timed["rows"],
        "missing": [*(task.name for task in plan.missing()), *(["timing"] * (timed is None))],
    }


def _arm(name: str, plan: Plan) -> Json:
    traits = plan.traits[name]
    return {
        "about": asdict(ARMS[name]),
        "tokens": traits.tokens,
        "parameters": traits.parameters,
        "trials": [found for task in plan.trials[name] if (found := task.read())],
        "seeds": {str(seed): _seed(tasks) for seed, tasks in plan.seeds[name].items()},
    }


def _seed(tasks: SeedTasks) -> Mapping[str, object]:
    points = [
        {"calls": setting.calls, "sampler": setting.sampler, "guided": guided, **found}
        for (setting, guided), task in tasks.points.items()
        if (found := task.read())
    ]
    return {
        "tokenizer": None if tasks.tokenizer is None else tasks.tokenizer.of,
        "train": tasks.train.read(),
        "guidance": tasks.guidance.read(),
        "points": points,
        "bits": None if tasks.bits is None else tasks.bits.read(),
        "energy": tasks.energy.read(),
    }
