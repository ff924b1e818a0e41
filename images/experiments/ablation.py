"""The ablation from its configuration to its report."""

from dataclasses import asdict
from pathlib import Path

from images.data.load import Images
from images.experiments import plots
from images.experiments.claims import conditions, outcomes
from images.experiments.config import AblationConfig
from images.experiments.denoisers import FlatImages
from images.experiments.design import ByPredictor, Design
from images.experiments.experiment import Result
from images.experiments.metrics import error_floors
from images.experiments.parallel import run_all
from images.experiments.replication import Results, fill_tables
from images.experiments.report import Findings, ablation_page, report
from refine_core.app.html import write_page
from refine_core.app.report import write_report
from refine_core.config import schema as configs
from refine_core.storage.files import finite, write_json


def ablate(config: AblationConfig, images: Images, out: Path, *, quiet: bool = False) -> None:
    """Measure Tables 1 to 4 and the sweeps.

    Writes `ablation.json` (every number), `REPORT.md`, `report.html` and pictures into `out`.
    Results are kept in `out/runs`, so an ablation that was interrupted continues where it stopped.

    Args:
        config: What to run.
        images: The data; its labels are not used.
        out: The folder.
        quiet: Whether to show no progress.

    Raises:
        InputError: A setting does not fit the data, or a worker process was killed.
    """
    flat = FlatImages.of(images)
    design = Design.of(config, len(flat.train))
    results = run_all(design.experiments(), flat, out / "runs", config.workers, quiet=quiet)

    def of(experiments: ByPredictor) -> dict[str, list[Result]]:
        return {name: [results[each] for each in found] for name, found in experiments.items()}

    tabled = of(design.tabled)
    swept = conditions(design, results)
    limited = flat.limited(config.setup)
    floors = error_floors(limited, config.setup)
    findings = Findings(
        train=len(limited.train),
        test=len(limited.test),
        results=tabled,
        floors=floors,
        cells=fill_tables(tabled, floors),
        outcomes=outcomes(swept),
        course=of(design.course),
    )
    pictures = ["learning_curves.png", "beside_paper.png"]
    plots.plot_learning_curves(out / pictures[0], tabled, floors, config.setup.target)
    plots.plot_beside_paper(out / pictures[1], findings.cells)
    if swept:
        pictures.append("sweeps.png")
        plots.plot_sweeps(out / pictures[2], swept)
    write_json(out / "ablation.json", _numbers(config, findings))
    parts = report(config, findings, pictures)
    write_report(out / "REPORT.md", *parts)
    write_page(out / "report.html", ablation_page(findings, parts, out))


def _numbers(config: AblationConfig, findings: Findings) -> object:
    """Everything as JSON values; null stands for a target that was never reached."""
    found = {
        "config": configs.to_dict(config),
        "floors": findings.floors,
        "tables": [asdict(cell) for cell in findings.cells],
        "sweeps": [asdict(outcome) for outcome in findings.outcomes],
        "runs": _plain(findings.results),
        "course": _plain(findings.course),
    }
    return finite(found)


def _plain(results: Results) -> dict[str, object]:
    return {name: [each.to_json() for each in found] for name, found in results.items()}
