"""A study from its config to its report; it goes on where it was stopped."""

from pathlib import Path
from typing import cast

from images.data.load import Images
from images.study.config import StudyConfig
from images.study.findings.report import write_findings
from images.study.protocol.plan import StudyPlan, make_plan
from images.study.protocol.record import record, results
from images.study.protocol.scoring import Bench
from images.study.protocol.speed import Speed, measure_speed
from images.study.protocol.tasks import Json
from refine_core.app.parallel import run_jobs
from refine_core.app.progress import Say, silent
from refine_core.config.schema import to_dict
from refine_core.errors import InputError
from refine_core.storage.files import read_json, write_json
from refine_core.training.state import differences

RECORD = "study.json"
"""File of all results, beside the report."""
REMEDY = "choose another --out, or delete the folder"


def run_study(
    config: StudyConfig,
    images: Images,
    out: Path,
    *,
    report_only: bool = False,
    quiet: bool = False,
    say: Say = silent,
) -> None:
    """Run a study, and write `REPORT.md`, `report.html`, `study.json` and pictures into `out`.

    Results and models are kept in `out/runs`. A study that is stopped by Ctrl-C, or by an error,
    writes the report of what it has. It goes on from `study.json` alone, too, where it has to
    train models again that results are missing of.

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
    _check_folder(bench, out)
    speed = Speed(0, 0, 0, 0) if report_only else measure_speed(bench)
    plan = make_plan(bench, speed)
    known = dict(results(_recorded(out)))
    plan.restore(known)
    try:
        if not report_only:
            plan.forget_lost()
            say(forecast(plan, config.workers))
            run_jobs(plan.jobs(), bench.portable(), config.workers, title="study", quiet=quiet)
    finally:
        plan.restore(known)  # of what was forgotten to be trained again, and was not
        found = record(plan, bench)
        write_json(out / RECORD, found)
        write_findings(found, out)


def forecast(plan: StudyPlan, workers: int) -> str:
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


def _recorded(out: Path) -> Json:
    """What `study.json` holds; nothing if it is not there."""
    path = out / RECORD
    return read_json(path, dict, REMEDY) if path.exists() else {}


def _check_folder(bench: Bench, out: Path) -> None:
    """Refuse a folder with results of another study, and note what this one is.

    Arms, seeds, settings and tuning may change from call to call: results are found by all that
    they follow from. Backbone, budget, tokeniser and data are what makes results comparable.

    Raises:
        InputError: The folder holds such results.
    """
    path, config = bench.folder / RECORD, to_dict(bench.config)
    own = {name: config[name] for name in ("backbone", "tokenizer", "forward", "budget")}
    own |= {"revision": bench.config.revision, "data": bench.fingerprint}
    recorded = _recorded(out)
    known = {**cast(Json, recorded.get("config", {})), "data": recorded.get("data")}
    found = {name: known.get(name) for name in own} if recorded else own
    if path.exists():
        found = read_json(path, dict, REMEDY)
    if changes := differences(found, own):
        said = [f"{name}: {old}, now {new}" for name, (old, new) in changes.items()]
        raise InputError(
            f"{out} holds another study ({'; '.join(said[:3])}"
            f"{'; ...' if len(said) > 3 else ''}): {REMEDY}."
        )
    write_json(path, own)
