"""What is said while work goes on."""

import pytest

from refine_core.app.progress import Progress, say


def test_messages_go_to_stderr_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    line = "extending C[C@@H](N)C(=O)O [bold], " + "a long line " * 20
    with Progress("work", 2):
        say(line)
    said = capsys.readouterr()
    assert line + "\n" in said.err and said.out == ""


def test_a_row_is_one_line_however_narrow_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    with Progress("work", 2) as progress:
        progress.row({f"metric_{k}": k / 3 for k in range(20)})
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("metric_0 0  metric_1 0.33333") and line.endswith("metric_19 6.3333")
