"""Options on the command line override a config file."""

import io
import sys
from pathlib import Path

import pytest

from refine_core.app.options import parse
from refine_core.errors import InputError
from tests.refine_core.config.setup import Model, Setup, Table


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "setup.yaml"


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], Setup(name="filed", rate=0.5)),
        (["--rate", "1e-2"], Setup(name="filed", rate=0.01)),
        (["--model.width=6"], Setup(name="filed", rate=0.5, model=Model(width=6))),
        (["--model.sizes", "1", "3"], Setup(name="filed", rate=0.5, model=Model(sizes=(1, 3)))),
        (["--model.drop", "0.1"], Setup(name="filed", rate=0.5, model=Model(drop=0.1))),
        (["--no_shuffle", "--data", "x"], Setup("filed", rate=0.5, shuffle=False, data=Path("x"))),
        (
            ["--model.codes.codes", "3"],
            Setup(name="filed", rate=0.5, model=Model(codes=Table(codes=3))),
        ),
    ],
)
def test_options_override_the_file(argv: list[str], expected: Setup, path: Path) -> None:
    path.write_text("name: filed\nrate: 0.5\n")
    assert parse(Setup, argv, path) == expected
    assert parse(Setup, [*argv, "--config", str(path)]) == expected
    assert parse(Setup, [f"--config={path}", *argv], "other.yaml") == expected


def test_without_a_file_the_class_gives_the_defaults() -> None:
    assert parse(Setup, ["--name", "n", "--model.width", "2"]) == Setup("n", model=Model(width=2))
    with pytest.raises(InputError, match="--name"):
        parse(Setup, [])


def test_help_shows_the_values_of_the_file(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text("name: filed\nrate: 0.125\nmodel: {codes: {kind: grid}}\n")
    with pytest.raises(SystemExit) as caught:
        parse(Setup, ["--help"], path, "refine things train")
    shown = " ".join(capsys.readouterr().out.split())
    assert caught.value.code == 0
    for part in ("refine things train", "A whole run.", "filed", "(default: 0.125)"):
        assert part in shown
    for part in ("Learning rate.", "Channels of every layer.", "--model.codes.levels", "--config"):
        assert part in shown


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--model.widht", "8"], "Unrecognized options: --model.widht, 8. Did you mean --model.w"),
        (["--rate", "fast"], "--rate"),
        (["--model.act", "glu"], "'glu'"),
        (["--model.width", "3"], "width is 3, expected an even number"),
        (["--model.width", "-4"], "width: found -4, expected greater than 0"),
        (["--rate", "nan"], "rate: found nan, expected a finite number"),
        (["--model.span", "1"], "--model.span"),
        (["stray"], "stray"),
        (["--config"], "--config without a value"),
        (["--config", "missing.yaml"], "missing.yaml"),
    ],
)
def test_bad_option_is_one_sentence(
    argv: list[str], said: str, encoding: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("name: filed\n")
    out, err = io.TextIOWrapper(io.BytesIO(), encoding=encoding), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with pytest.raises(InputError) as caught:
        parse(Setup, argv, path, "refine x")
    message = str(caught.value)
    assert said in message
    assert (
        not {"\n", "│", "─", "╰"} & set(message) and "  " not in message and "---" not in message
    )
    assert (out.tell(), err.getvalue()) == (0, "")
