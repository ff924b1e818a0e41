"""Tables and report files."""

import math
from pathlib import Path

import numpy as np
import pytest

from refine_core.app.report import Column, number, table, write_report


def lines(text: str) -> list[str]:
    return text.split("\n")


def test_rows_are_mappings_or_sequences() -> None:
    columns = [Column("name"), Column("CPU ms", "cpu_ms", ".1f")]
    expected = ["| name | CPU ms |", "|---|---:|", "| a | 2.0 |", "| b | 30.5 |"]
    mappings = [{"cpu_ms": 2, "name": "a", "other": 1}, {"name": "b", "cpu_ms": 30.46}]
    assert lines(table(columns, mappings)) == expected
    assert lines(table(columns, iter([("a", 2.0), ["b", 30.46]]))) == expected
    assert lines(table(columns, [])) == ["| name | CPU ms |", "|---|---|"]
    with pytest.raises(ValueError, match="2 cells"):
        table(columns, [("a",)])


@pytest.mark.parametrize(
    ("value", "form", "said"),
    [
        (1234567, "", "1234567"),
        (1.23456, "", "1.235"),
        (np.float32(0.5), "", "0.5"),
        (np.int64(7), ".3g", "7"),
        (np.int64(123456), "", "123456"),
        (0.25, ".1%", "25.0%"),
        (1234.5, number, "1234"),
        (True, "", "True"),
        ("x | y\nz", ".1f", "x \\| y z"),
        (None, ".1f", "–"),
        (math.nan, number, "–"),
        (np.float32("nan"), "", "–"),
    ],
)
def test_cells(value: object, form: str, said: str) -> None:
    assert lines(table([Column("a", form=form)], [[value]], missing="–"))[2] == f"| {said} |"


def test_missing_cells_are_blank_and_leave_the_alignment() -> None:
    assert lines(table(["a", "b"], [{"a": 1}, {"a": None}])) == [
        *("| a | b |", "|---:|---|", "| 1 |  |", "|  |  |")
    ]
    assert lines(table([Column("a", align="left")], [[1]]))[1] == "|---|"
    assert lines(table(["a"], [[1], ["many"]]))[1] == "|---|"


def test_report_of_parts(tmp_path: Path) -> None:
    write_report(tmp_path / "new" / "REPORT.md", "# Title\n", "", table(["a"], [[1]]), "End.")
    text = (tmp_path / "new" / "REPORT.md").read_text()
    assert text == "# Title\n\n| a |\n|---:|\n| 1 |\n\nEnd.\n"
