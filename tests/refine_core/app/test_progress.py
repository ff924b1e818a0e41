"""What is said while work goes on."""

import pytest

from refine_core.app.progress import Progress, say


def test_messages_go_to_stderr_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    line = "extending C[C@@H](N)C(=O)O [bold], " + "a long line " * 20
    with Progress("work", 2):
        say(line)
    said = capsys.readouterr()
    assert line + "\n" in said.err and said.out == ""
