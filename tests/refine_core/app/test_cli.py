import errno
import os
import subprocess
import sys
from importlib.metadata import EntryPoint, version
from pathlib import Path

import pytest

from refine_core.app import domains
from refine_core.app.cli import Commands, commands, main
from refine_core.errors import InputError
from refine_core.storage.files import write_text

DOMAIN = '''
"""Toys: things to play with.

More than a line.
"""
'''
DOMAIN_CLI = """
import toys.{needed}

def main(argv):
    print("toys", *argv)
"""


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed domain; returns the folder of its package."""
    folder = tmp_path / "toys"
    write_text(folder / "__init__.py", DOMAIN)
    write_text(folder / "cli.py", "def main(argv):\n    print('toys', *argv)\n")
    entry = EntryPoint("toys", "toys.cli:main", "refine.domains")
    monkeypatch.setattr(domains, "entry_points", lambda group: [entry])
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "toys"]:
        monkeypatch.delitem(sys.modules, name)
    return folder


def failure(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must end with code 2 and one line on stderr, and return the line."""
    with pytest.raises(SystemExit) as caught:
        main(argv)
    said = capsys.readouterr()
    assert caught.value.code == 2
    assert said.err.startswith("refine: ") and said.err.count("\n") == 1
    return said.err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--version"])
    assert capsys.readouterr().out == f"refine {version('refine')}\n"


@pytest.mark.parametrize("argv", [[], ["-h"], ["--help"]])
def test_help_lists_domains_without_importing_them(
    argv: list[str], toys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(argv)
    shown = capsys.readouterr().out
    assert "  toys  Toys: things to play with.\n" in shown and "More than" not in shown
    assert "toys.cli" not in sys.modules


def test_domain_gets_the_words_that_follow(toys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["toys", "play", "--hard"])
    assert capsys.readouterr().out == "toys play --hard\n"


def test_words_of_the_process(
    toys: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["refine", "toys", "play"])
    main()
    assert capsys.readouterr().out == "toys play\n"


def test_unknown_domain(toys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = failure(["tyos"], capsys)
    assert "'tyos'" in said and "Did you mean 'toys'?" in said


def test_library_that_is_not_installed(toys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_text(toys / "cli.py", "import no_such_library\n")
    said = failure(["toys"], capsys)
    assert "'no_such_library'" in said and "pip install 'refine[toys]'" in said


def test_missing_module_of_the_domain_itself_is_a_defect(toys: Path) -> None:
    write_text(toys / "cli.py", "def main(argv):\n    import toys.gone\n")
    with pytest.raises(ModuleNotFoundError):
        main(["toys"])


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("InputError('found 1, expected 2')", "refine: found 1, expected 2\n"),
        ("FileNotFoundError(2, 'No such file', 'x/y')", "refine: x/y: No such file.\n"),
        ("OSError('odd')", "refine: odd\n"),
        (f"OSError({errno.ENOSPC}, 'No space')", "a file was not written; free some space"),
        (f"OSError({errno.EDQUOT}, 'Quota', 'x/y')", "x/y was not written; free some space"),
        ("KeyboardInterrupt()", "refine: interrupted; "),
    ],
)
def test_what_goes_wrong_becomes_a_sentence(
    error: str, said: str, toys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = (
        "from refine_core.errors import InputError\n" + f"def main(argv):\n    raise {error}\n"
    )
    write_text(toys / "cli.py", source)
    assert said in failure(["toys"], capsys)


def test_full_disk_names_the_file(toys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = """
from refine_core.storage.files import atomic_write

def main(argv):
    with atomic_write(argv[0]) as temporary:
        temporary.symlink_to("/dev/full")
        temporary.write_text("x" * 100_000)
"""
    write_text(toys / "cli.py", source)
    target = toys / "result.txt"
    assert f"the disk is full, {target} was not written" in failure(["toys", str(target)], capsys)


def test_defects_keep_their_traceback(toys: Path) -> None:
    write_text(toys / "cli.py", "def main(argv):\n    raise ValueError('a defect')\n")
    with pytest.raises(ValueError, match="a defect"):
        main(["toys"])


def test_help_is_light_and_a_closed_pipe_is_quiet() -> None:
    source = """
import sys
from refine_core.app.cli import main
main(["--help"])
heavy = {"torch", "numpy", "pydantic", "tyro"} & sys.modules.keys()
assert not heavy, heavy
"""
    run = [sys.executable, "-c", source]
    ended = subprocess.run(run, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "") and "images" in ended.stdout
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(run, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_commands_of_a_domain(capsys: pytest.CaptureFixture[str]) -> None:
    got: list[object] = []

    def train(epochs: int = 3) -> None:
        """Train a model.

        For long.

        Args:
            epochs: How long.
        """
        got.append(epochs)

    def sample(model: str, /, count: int = 1) -> None:
        """Sample."""
        got.append((model, count))

    table: Commands = {"train": train, "sample": sample}
    commands("refine toys", table, ["train", "--epochs", "2"])
    commands("refine toys", table, ["sample", "--count", "4", "mnist"])
    commands("refine toys", table, ["train"])
    assert got == [2, ("mnist", 4), 3]
    commands("refine toys", table, ["--help"])
    shown = capsys.readouterr().out
    assert "usage: refine toys COMMAND" in shown
    assert "  train   Train a model.\n" in shown and "For long" not in shown
    with pytest.raises(SystemExit):
        commands("refine toys", table, ["train", "--help"])
    shown = capsys.readouterr().out
    assert "refine toys train" in shown and "For long." in shown and "How long." in shown
    with pytest.raises(InputError, match=r"'trian' after `refine toys`.*Did you mean 'train'\?"):
        commands("refine toys", table, ["trian"])
    with pytest.raises(InputError, match=r"`refine toys sample --help` lists the options"):
        commands("refine toys", table, ["sample"])
