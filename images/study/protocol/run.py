"""A study from its config to its report; it goes on where it was stopped."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from images.data.load import Images
from images.study.config import StudyConfig
from images.study.findings.report import write_findings
from images.study.protocol.plan import Plan, make_plan
from images.study.protocol.record import record
from images.study.protocol.scoring import Bench
from images.study.protocol.speed import Speed, measure_speed, time_settings
from images.study.protocol.tasks import Json, Task
from refine_core.app.parallel import Tick, run_jobs
from refine_core.config.schema import to_dict
from refine_core.errors import InputError
from refine_core.storage.files import write_json
from refine_core.training.state import differences

RECORD = "study.json"
"""File of all results, beside the report."""


def run_study(
    config: StudyConfig,
    images: Images,
    out: Path,
    *,
    report_only: bool = False,
    quiet: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Run a study, and write `REPORT.md`, `report.html`, `study.json` and pictures into `out`.

    Results and models are kept in `out/runs`. A study that is stopped by Ctrl-C, or by an error,
    writes the report of what it has.

    Args:
        config: What to run.
        images: Labelled images.
        out: The folder.
        report_only: Whether to run nothing, and to report what is there.
        quiet: Whether to show no progress.
        say: Receives a line about what is to be done.

    Raises:
        InputError: The folder holds another study; the images do not fit; a worker was killed.
    """
    bench = Bench.of(config, images, out / "runs")
    _check_folder(bench)
    speed = Speed(0, 0, 0, 0) if report_only else measure_speed(bench)
    plan = make_plan(bench, speed)
    timing = _timing(plan, bench)
    try:
        if not report_only:
            say(forecast(plan, config.workers))
            jobs = [task.job() for task in plan]
            run_jobs(jobs, bench.portable(), config.workers, title="study", quiet=quiet)
            run_jobs([timing.job()], lambda: bench, 1, title="timing", quiet=quiet)
    finally:
        found = record(plan, bench, timing)
        write_json(out / RECORD, found)
        write_findings(found, out)


def forecast(plan: Plan, workers: int) -> str:
    """A line about the time that the tasks without a result will take.

    Args:
        plan: All tasks.
        workers: Count of processes.
    """
    missing, hours = plan.missing(), dict[str, float]()
    for task in missing:
        hours[task.kind] = hours.get(task.kind, 0) + task.cost / 3600
    if not missing:
        return "every result is there"
    longest = sorted(hours.items(), key=lambda pair: -pair[1])
    parts = ", ".join(f"{kind} {_duration(cost)}" for kind, cost in longest)
    total = _duration(sum(hours.values()) / workers)
    processes = "one process" if workers == 1 else f"{workers} processes"
    return f"{len(missing)} jobs, about {total} on {processes}; on one core: {parts}"


def _duration(hours: float) -> str:
    """Hours, minutes or seconds.

    >>> _duration(1.26), _duration(0.05), _duration(0.001)
    ('1.3 h', '3 min', '4 s')
    """
    if hours >= 1:
        return f"{hours:.1f} h"
    return f"{60 * hours:.0f} min" if hours >= 1 / 40 else f"{3600 * hours:.0f} s"


def _check_folder(bench: Bench) -> None:
    """Refuse a folder with results of another study, and note what this one is.

    Arms, seeds, settings and tuning may change from call to call: results are found by all that
    they follow from. Backbone, budget, tokeniser and data are what makes results comparable.

    Raises:
        InputError: The folder holds such results.
    """
    path, config = bench.folder / RECORD, to_dict(bench.config)
    own = {name: config[name] for name in ("backbone", "tokenizer", "forward", "budget")}
    own |= {"revision": bench.config.revision, "data": bench.fingerprint}
    if not path.exists():
        write_json(path, own)
        return
    changes = differences(json.loads(path.read_text("utf-8")), own)
    if changes:
        said = [f"{name}: {old}, now {new}" for name, (old, new) in changes.items()]
        raise InputError(
            f"{bench.folder.parent} holds another study ({'; '.join(said[:3])}"
            f"{'; ...' if len(said) > 3 else ''}): choose another --out, or delete the folder."
        )


def _timing(plan: Plan, bench: Bench) -> Task:
    """The timing of all arms in one job, by the models of the first seed."""
    first, measured = bench.config.seeds[0], bench.config.measurement
    content: Json = {
        "images": measured.timed_images,
        "rounds": measured.timed_rounds,
        "settings": {name: list(map(asdict, t.settings)) for name, t in plan.traits.items()},
    }
    needs = tuple(by_seed[first].train for by_seed in plan.seeds.values())
    run = partial(_time, plan)
    return Task("timing", "arms", content, needs, 60.0, run, bench.folder, bench.fingerprint)


def _time(plan: Plan, home: Path, bench: Bench, tick: Tick) -> Json:
    """Time every setting that is measured, guided ones with a weight of one."""
    first = bench.config.seeds[0]
    models = {name: by_seed[first].run.load(bench) for name, by_seed in plan.seeds.items()}
    settings = {
        name: [replace(each, guidance=w) for each in traits.settings for w in (0, 1)]
        for name, traits in plan.traits.items()
    }
    rows = time_settings(models, settings, bench, tick)
    return {"rows": rows, "load": os.getloadavg()[0]}
