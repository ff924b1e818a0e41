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
from images.experiments.report import Findings, report
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
    text = "\n\n".join(report(config, findings, pictures)) + "\n"
    assert text == (SHIPPED / "REPORT.md").read_text("utf-8")
