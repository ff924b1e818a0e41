"""Completion: what is proposed, and that shells ask for it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from refine_core.app.cli import main


def proposed(line: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What may stand in place of the last word of a line, which may be empty."""
    main(["--complete", *line.split(" ")[1:]])
    return capsys.readouterr().out.split()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("refine gr", ["graphs"]),
        ("refine graphs tr", ["train"]),
        ("refine graphs train --data.sou", ["--data.source"]),
        (
            "refine graphs train --config qm9_",
            ["qm9_large", "qm9_masked", "qm9_properties", "qm9_properties_large", "qm9_quick"],
        ),
        ("refine graphs train --model.kind ", ["contraction", "expansion", "masked"]),
        ("refine graphs sample --coordinates 2", ["2d"]),
        ("refine weather train --mean.training.learning_", ["--mean.training.learning-rate"]),
        ("refine weather train --mean.turn", ["--mean.turned"]),
        ("refine weather train --mean.no-", ["--mean.no-turned"]),
        ("refine images sample --out ", []),  # a file: the shell knows better
        ("refine completion f", ["fish"]),
        ("refine doctor --j", ["--json"]),
        ("refine gone x", []),
    ],
)
def test_what_may_follow(line: str, found: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert proposed(line, capsys) == found


def test_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--complete"])
    assert {"graphs", "images", "weather", "doctor"} <= set(capsys.readouterr().out.split())


ASK = {
    "bash": """
eval "$(refine completion bash)"
COMP_WORDS=(refine graphs train --config qm9_q) COMP_CWORD=4
_refine && echo "${COMPREPLY[@]}"
""",
    "zsh": """
compdef() {}
compadd() { shift; print -- $@ }
eval "$(refine completion zsh)"
words=(refine graphs train --config qm9_q) CURRENT=5
_refine
""",
    "fish": """
refine completion fish | source
complete -C "refine graphs train --config qm9_q"
""",
}


@pytest.mark.parametrize("shell", ASK)
def test_a_shell_asks(shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    command = tmp_path / "refine"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m refine_core.app.cli "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/local/bin:/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    ran = subprocess.run([shell, "-c", ASK[shell]], capture_output=True, text=True)
    assert ran.stdout.strip() == "qm9_quick", ran.stderr
