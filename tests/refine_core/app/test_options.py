"""Options of functions, and options that override a config file."""

import io
import sys
from pathlib import Path
from typing import Literal

import pytest
from pydantic import PositiveInt

from refine_core.app.options import arguments
from refine_core.errors import InputError
from tests.refine_core.config.parsing import parse
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
        (["--last.codes", "3"], Setup(name="filed", rate=0.5, last=Table(codes=3))),
    ],
)
def test_options_override_the_file(argv: list[str], expected: Setup, path: Path) -> None:
    path.write_text("name: filed\nrate: 0.5\n")
    assert parse(Setup, argv, path) == expected
    assert parse(Setup, [f"--config={path}", *argv]) == expected


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
        (["--model.act", "glu"], "glu, expected one of gelu, relu"),
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


def draw(count: int, *, out: Path = Path("out.png"), labels: tuple[int, ...] = ()) -> str:
    """Draw pictures.

    Args:
        count: How many.
        out: Where they go.
        labels: Which digits.
    """
    print("drawing", file=sys.stderr)
    if count > 100:
        raise SystemExit(3)
    return f"{count} {out} {labels}"


def test_function_is_called_with_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert arguments(draw, ["--count", "3", "--labels", "1", "2"], "refine toys draw") == (
        "3 out.png (1, 2)"
    )
    assert capsys.readouterr().err == "drawing\n"
    with pytest.raises(SystemExit) as caught:
        arguments(draw, ["--count", "101"], "refine toys draw")
    assert caught.value.code == 3


def test_function_documents_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        arguments(draw, ["--help"], "refine toys draw")
    shown = capsys.readouterr().out
    assert caught.value.code == 0
    assert all(part in shown for part in ("refine toys draw", "Draw pictures.", "Where they go."))
    assert shown.count("Where they go.") == 1


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "--count"),
        (["--count", "many"], "--count"),
        (["--count", "3", "--lables", "1"], "Did you mean --labels?"),
    ],
)
def test_options_that_do_not_fit_a_function(argv: list[str], said: str) -> None:
    with pytest.raises(InputError) as caught:
        arguments(draw, argv, "refine toys draw")
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert "`refine toys draw --help`" in str(caught.value)


def visit(
    *,
    time: tuple[str, ...] = (),
    weights: dict[str, float] | None = None,
    span: tuple[float, float] = (0.0, 1.0),
    guidance: float | tuple[float, ...] = 0.0,
    count: PositiveInt = 3,
    lead_days: float = 1.0,
    shuffle: bool = True,
) -> dict[str, object]:
    """Visit a place."""
    return {"time": time, "weights": weights, "guidance": guidance, "lead_days": lead_days}


@pytest.mark.parametrize(
    ("argv", "name", "value"),
    [
        (["--time", "a", "--time", "b", "c"], "time", ("a", "b", "c")),
        (["--time=a", "--lead-days", "2", "--time=b"], "time", ("a", "b")),
        (["--time", "--lead_days", "-2", "--time", "b"], "time", ("b",)),
        (["--time=-a"], "time", ("-a",)),
        (["--weights", "a", "1", "--weights", "b", "-2"], "weights", {"a": 1.0, "b": -2.0}),
        (["--guidance", "1", "--guidance", "2"], "guidance", (1.0, 2.0)),
        (["--lead_days", "2"], "lead_days", 2.0),
        (["--lead-days=3"], "lead_days", 3.0),
    ],
)
def test_lists_are_appended_to(argv: list[str], name: str, value: object) -> None:
    assert arguments(visit, argv, "refine visit")[name] == value


@pytest.mark.parametrize(
    ("argv", "option"),
    [
        (["--lead-days", "2", "--lead_days", "3"], "--lead_days"),
        (["--lead-days=2", "--time", "a", "--lead-days=2"], "--lead-days"),
        (["--span", "0", "1", "--span", "2", "3"], "--span"),
        (["--shuffle", "--no-shuffle"], "--no-shuffle"),
    ],
)
def test_other_options_are_given_once(argv: list[str], option: str) -> None:
    with pytest.raises(InputError, match=f"Found {option} twice, expected it once. `refine visit"):
        arguments(visit, argv, "refine visit")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--rate", "1", "--rate", "2"], "Found --rate twice, expected it once."),
        (["--model.drop", "1", "--model.drop=2"], "Found --model.drop twice, expected it once."),
        (["--model.codes.codes", "1", "--model.codes.codes", "2"], "Found --model.codes.codes tw"),
        (["--no-shuffle", "--shuffle"], "Found --shuffle twice"),
        (["--model.no-drop", "1"], "Unrecognized options: --model.no-drop"),
        (["--config", "a.yaml", "--config=b.yaml"], "Found --config a.yaml and b.yaml, expected"),
    ],
)
def test_options_of_a_config_are_given_once(argv: list[str], said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(Setup, ["--name", "n", *argv])
    assert said in str(caught.value)


def test_lists_of_a_config_are_appended_to() -> None:
    argv = ["--name", "n", "--model.sizes", "1", "--rate", "1", "--model.sizes", "3"]
    assert parse(Setup, argv).model.sizes == (1, 3)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--count", "0"], "Found --count 0, expected greater than 0."),
        (["--count", "-5"], "Found --count -5, expected greater than 0."),
        (["--lead-days", "nan"], "Found --lead-days nan, expected a finite number."),
        (["--guidance", "1", "inf"], "--guidance"),
    ],
)
def test_annotations_are_checked_before_the_call(argv: list[str], said: str) -> None:
    with pytest.raises(InputError) as caught:
        arguments(visit, argv, "refine visit")
    assert said in str(caught.value) and "`refine visit --help`" in str(caught.value)


def test_help_has_hyphens(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments(visit, ["--help"], "refine visit")
    shown = capsys.readouterr().out
    assert "--lead-days FLOAT" in shown and "_days" not in shown


def measure(setup: Setup, out: Path = Path("report")) -> tuple[Setup, Path]:
    """Measure a run.

    Args:
        setup: What is run.
        out: Folder for the report.
    """
    return setup, out


def test_a_config_beside_other_options(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text("name: filed\nrate: 0.5\n")
    argv = ["--out", "x", "--config", str(path), "--model.width", "6"]
    expected = Setup("filed", rate=0.5, model=Model(width=6)), Path("x")
    assert arguments(measure, argv, "refine measure") == expected
    with pytest.raises(InputError, match="--out twice"):
        arguments(measure, ["--out", "x", "--out", "y", "--name", "n"], "refine measure")
    with pytest.raises(SystemExit):
        arguments(measure, ["--help", "--config", str(path)], "refine measure")
    shown = " ".join(capsys.readouterr().out.split())
    for part in ("Measure a run.", "Folder for the report.", "Learning rate.", "(default: 0.5)"):
        assert part in shown


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--count", "abc"], "Found --count abc, expected a whole number."),
        (["--rate", "fast"], "Found --rate fast, expected a number."),
        (["--box", "0", "5"], "Found --box 0 5, expected INT INT INT."),
        (["--label", "two"], "Found --label two, expected a whole number."),
        (["--workers", "all"], "Found --workers all, expected a whole number or auto."),
        (["--order", "up"], "Found --order up, expected one of left, right."),
    ],
)
def test_values_that_cannot_be_read_are_said_plainly(argv: list[str], sentence: str) -> None:
    def visit(
        count: int = 1,
        rate: float = 1.0,
        box: tuple[int, int, int] | None = None,
        label: int | None = None,
        order: Literal["left", "right"] = "left",
        workers: int | Literal["auto"] = "auto",
    ) -> None:
        raise AssertionError("the command must not run")

    with pytest.raises(InputError) as caught:
        arguments(visit, argv, "refine visit")
    assert str(caught.value).startswith(sentence)
    assert str(caught.value).endswith("`refine visit --help` lists the options.")


def test_a_wrong_field_of_a_section_is_named_by_its_path() -> None:
    with pytest.raises(InputError, match=r"^model\.width: found -1, expected"):
        parse(Setup, ["--name", "n", "--model.width", "-1"])
