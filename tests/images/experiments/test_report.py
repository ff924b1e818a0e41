"""The shipped report follows from the shipped numbers."""

import json
import math
from pathlib import Path
from typing import Any

from images.experiments.claims import Outcome
from images.experiments.config import AblationConfig
from images.experiments.experiment import Result
from images.experiments.paper import Quantity
from images.experiments.replication import Stat, fill_tables
from images.experiments.report import Findings, ablation_page, report
from refine_core.app.html import Figure
from refine_core.config.schema import from_dict

SHIPPED = Path(__file__).parents[3] / "results/images/ablation"


def outcome(plain: dict[str, Any]) -> Outcome:
    ours, base = (
        Stat(math.inf if each["mean"] is None else each["mean"], each["std"], each["seeds"])
        for each in (plain["ours"], plain["base"])
    )
    return Outcome(
        **plain | {"quantity": Quantity(**plain["quantity"]), "ours": ours, "base": base}
    )


def test_report() -> None:
    numbers = json.loads((SHIPPED / "ablation.json").read_text("utf-8"))
    results, course = (
        {name: [Result.from_json(each) for each in found] for name, found in numbers[key].items()}
        for key in ("runs", "course")
    )
    cells, floors = fill_tables(results, numbers["floors"]), numbers["floors"]
    outcomes = [outcome(each) for each in numbers["sweeps"]]
    findings = Findings(60_000, 10_000, results, floors, cells, outcomes, course)
    config = from_dict(AblationConfig, numbers["config"])
    pictures = ["learning_curves.png", "beside_paper.png", "sweeps.png"]
    parts = report(config, findings, pictures)
    assert "\n\n".join(parts) + "\n" == (SHIPPED / "REPORT.md").read_text("utf-8")
    page = ablation_page(findings, parts, SHIPPED)
    assert page.verdict.startswith("**0 of 3** claims of the paper hold with its own settings.")
    assert [figure.value for figure in page.figures] == [
        f"{findings.mean(name, 'mse'):.4f}" for name in ("latent", "softmax", "bands 2")
    ]
    titles = [section.title for section in page.sections]
    assert titles[:2] == ["What was run", "In short"] and "When each claim holds" in titles
    assert len([each for each in page.sections[0].blocks if isinstance(each, Figure)]) == 3
