"""The ablation from configuration to report."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from images.data.load import Images
from images.experiments import plots
from images.experiments.conditions import conditions, outcomes
from images.experiments.evidence import Evidence
from images.experiments.floors import floors
from images.experiments.plan import plan
from images.experiments.pool import run_all
from images.experiments.report import report
from images.experiments.settings import AblationConfig
from images.experiments.spec import Arrays
from images.experiments.tables import fill
from refine_core.config import schema as configs
from refine_core.storage.files import write_json, write_text


def ablate(config: AblationConfig, images: Images, out: Path, *, quiet: bool = False) -> None:
    """Measure Tables 1 to 4 and the sweeps.

    Writes `ablation.json` (every number), `REPORT.md`, and pictures into `out`. Finished runs are
    kept in `out/runs`, so an ablation that was interrupted continues where it stopped.

    Args:
        config: What to run.
        images: The data; its labels are not used.
        out: The folder.
        quiet: Whether to show no progress.

    Raises:
        InputError: A setting does not fit the data, or a worker process was killed.
    """
    arrays = Arrays.of(images)
    todo = plan(config, len(arrays.train))
    found = run_all(todo.specs(), arrays, out / "runs", config.workers, quiet=quiet)
    tabled = {name: [found[spec] for spec in specs] for name, specs in todo.tabled.items()}
    points = conditions(todo, found)
    limited = arrays.limited(config.setup)
    untrained = floors(limited, config.setup)
    evidence = Evidence(
        train=len(limited.train),
        test=len(limited.test),
        results=tabled,
        floors=untrained,
        cells=fill(tabled, untrained),
        outcomes=outcomes(points),
        course={name: [found[spec] for spec in specs] for name, specs in todo.course.items()},
    )
    pictures = ["learning_curves.png", "beside_paper.png"]
    plots.learning_curves(out / pictures[0], tabled, untrained, config.setup.target)
    plots.beside_paper(out / pictures[1], evidence.cells)
    if points:
        pictures.append("sweeps.png")
        plots.sweeps(out / pictures[2], points)
    write_json(out / "ablation.json", _numbers(config, evidence))
    write_text(out / "REPORT.md", report(config, evidence, pictures))


def _numbers(config: AblationConfig, evidence: Evidence) -> Any:
    """Everything as JSON values; null stands for a target never reached."""
    return _finite(
        {
            "config": configs.to_dict(config),
            "floors": evidence.floors,
            "tables": [asdict(cell) for cell in evidence.cells],
            "sweeps": [asdict(outcome) for outcome in evidence.outcomes],
            "runs": evidence.results,
            "course": evidence.course,
        }
    )


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
