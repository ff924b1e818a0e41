"""The commands as a user types them: what they make, and the sentence for each wrong input."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from graphs.config import GraphsConfig
from graphs.datasets.config import DataConfig
from graphs.generators.contraction.config import ContractionConfig
from refine_core.app.cli import main
from refine_core.config.schema import dump
from refine_core.training.config import Optimisation

MOLECULES = ["CCO", "CC(N)=O", "C1CC1O", "CC#N", "CCN", "COC", "OCCO", "NCCO", "CC(C)=O"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with molecules.smi and tiny.yaml."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Path("molecules.smi").write_text("\n".join(MOLECULES * 4) + "\n")
    config = GraphsConfig(
        name="tiny",
        data=DataConfig(source="molecules.smi"),
        model=ContractionConfig(
            dim=16, depth=1, heads=2, training=Optimisation(epochs=1, batch=8)
        ),
    )
    Path("tiny.yaml").write_text(dump(config))
    return tmp_path


def refuse(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """Run a command that must fail, and return its one sentence."""
    with pytest.raises(SystemExit) as end:
        main(["graphs", *argv])
    assert end.value.code == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("refine: ") and "Traceback" not in said
    return said


def test_train_sample_describe(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["graphs", "train", "--config", "tiny.yaml"])
    made = {path.name for path in Path("runs/tiny").iterdir()}
    assert made >= {"config.yaml", "run.json", "metrics.csv", "metrics.json", "model.safetensors"}
    for name in ("out.smi", "out.csv", "out.sdf", "out.SDF", "out.png", "out.PNG"):
        main(["graphs", "sample", "--model", "runs/tiny", "--count", "60", "--out", name])
        assert Path(name).stat().st_size > 0
    said = refuse(capsys, "sample", "--model", "runs/tiny", "--out", "x.pdb")
    assert ".smi" in said
    own = Path("molecules.smi").read_text()
    said = refuse(capsys, "sample", "--model", "runs/tiny")
    assert "Found molecules.smi, which is not replaced unasked: give --out molecules.smi" in said
    assert Path("molecules.smi").read_text() == own
    said = refuse(capsys, "sample", "--model", "runs/tiny", "--where", "gap=x")
    assert "name=number" in said


def test_describe_says_what_is_rare_what_is_lost_and_how_to_train(
    folder: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    rows = [f"{'C' * k}c1ccccc1" for k in range(12)] + ["C[Hg]Cl", "C[C@H](N)O", "CCO.Cl", "C1C"]
    Path("my own.csv").write_text("\n".join(["structure", *rows]))
    source = ["--source", "my own.csv", "--column", "structure"]
    main(["graphs", "describe", *source])
    said = capsys.readouterr().out
    assert "rare, in fewer than 5 training graphs: Cl in " in said or "Hg in " in said
    assert "skipped: 1" in said and "stereochemistry from 1" in said
    assert "smaller fragments from 1" in said
    assert (
        "c1ccccc1 in " in said and "fragments in 5 molecules or more: 1, which cover 100" in said
    )
    options = "--name mine --data.source 'my own.csv' --data.column structure --time 10m"
    assert said.strip().endswith(options)
    assert "my own.csv: stereochemistry dropped from 1 molecules" in caplog.text
    main(["graphs", "describe", "--source", "tree"])
    assert "fragments" not in capsys.readouterr().out


def test_molecules_in_several_pieces_are_warned_of(
    folder: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    Path("salts.smi").write_text("\n".join(["CC[NH3+].[Cl-]", "CCO.O", "NCC.O", "OCO.O"] * 4))
    words = ["--config", "tiny.yaml", "--data.source", "salts.smi"]
    main(["graphs", "train", *words, "--name", "cut"])
    assert "several pieces" not in caplog.text
    assert "smaller fragments dropped from 16 molecules" in caplog.text
    main(["graphs", "train", *words, "--name", "whole", "--data.no-largest-fragment"])
    assert "16 of 16 molecules are in several pieces, such as salts" in caplog.text
    for name in ("cut", "whole"):
        capsys.readouterr()
        main(["graphs", "sample", "--model", f"runs/{name}", "--count", "60", "--out", "x.smi"])
        pieces = sum("." in line for line in Path("x.smi").read_text().split())
        said = f"{pieces} of these are in several pieces" in capsys.readouterr().err
        assert (pieces > 0) == said == (name == "whole")


def test_a_training_of_a_given_time(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "--config", "tiny.yaml", "--time", "3s"]
    main(["graphs", *words])
    said = capsys.readouterr()
    assert "fit into 0.05 minutes" in said.err
    assert "bits of a graph: " in said.out and "steps are few" in said.out
    first = Path("runs/tiny/config.yaml").read_text()
    main(["graphs", *words])  # keeps its length, whatever the pace is now
    assert Path("runs/tiny/config.yaml").read_text() == first
    assert "fit into" not in capsys.readouterr().err
    for time in ("10", "0m", "ten", "-1m"):
        assert f"Found --time {time}, expected a time: 90s, 10m, 2h" in refuse(
            capsys, "train", "--config", "tiny.yaml", f"--time={time}"
        )


def test_elements_charges_and_fragments_from_a_file_to_a_report(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = ["B(O)O", "[Si](C)(C)C", "P(=O)(O)O", "[Se]C", "I", "[N+](=O)[O-]", "[N+](C)(C)C"]
    ends += ["S(=O)(=O)[O-]", "[Te]C", "[As](C)C", "[Sn](C)(C)C", "[B-](F)(F)F", "[Hg]Cl", "C#N"]
    rows = [f"{'C' * k}c1ccc({end})cc1" for end in ends for k in range(6)]
    Path("all.smi").write_text("\n".join(rows))
    words = ["--config", "tiny.yaml", "--data.source", "all.smi", "--data.fragments", "auto"]
    main(["graphs", "train", *words])
    model = ["--model", "runs/tiny"]
    main(["graphs", "sample", *model, "--count", "60", "--out", "x.csv"])
    assert "c1ccc" in Path("x.csv").read_text()
    main(["graphs", "evaluate", *model, "--count", "40", "--out", "report"])
    assert json.loads(Path("report/metrics.json").read_text())["valid"] > 0.5


def test_conditional_generation(
    folder: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    words = ["--data.properties", "logp", "qed", "--config", "tiny.yaml"]
    main(["graphs", "train", *words])
    model = ["--model", "runs/tiny"]
    drawn = ["--out", "drawn.smi"]  # not over the data that the model was trained on
    main(["graphs", "sample", *model, "--where", "logp=0.1,qed=0.4", "--guidance", "2", *drawn])
    assert Path("drawn.smi").read_text()
    main(["graphs", "sample", *model, "--scaffold", "CO", "--count", "12", "--out", "co.smi"])
    assert all("O" in line for line in Path("co.smi").read_text().split())
    assert "ignored" not in caplog.text
    main(["graphs", "sample", *model, "--scaffold", "[13CH3]O", "--count", "4", "--out", "x.smi"])
    assert "[13CH3]O: isotopes ignored, for graphs have none" in caplog.text
    near = ["--near", "atoms=3", "--particles", "20", "--count", "12", "--out", "near.csv"]
    main(["graphs", "sample", *model, *near])
    few = ["--count", "10", "--out", "report"]
    ask = ["--targets", "logp=0.1", "atoms=3", "--particles", "4"]
    main(["graphs", "evaluate-properties", *model, *ask, *few])
    rows = json.loads(Path("report/properties.json").read_text())["rows"]
    guided = [f"guidance {w}" for w in (0, 1, 2)]
    assert [row["sampling"] for row in rows if row["property"] == "logp"] == [
        *("unguided", *guided, "4 particles")
    ]
    plain, chosen = (row for row in rows if row["property"] == "atoms")
    assert chosen["mae"] <= plain["mae"] and chosen["near"] >= plain["near"]
    main(["graphs", "evaluate-scaffolds", *model, "--scaffolds", "CO", *few])
    rows = json.loads(Path("report/scaffolds.json").read_text())["rows"]
    assert [row["particles"] for row in rows] == [1, 8] and rows[1]["contain"] == 1
    cases = {
        ("sample", "--where", "lgp=1"): "Did you mean 'logp'?",
        ("sample", "--where", "logp=99"): "ask for a value in between",
        ("sample", "--where", "logp"): "name=number",
        ("sample", "--where", "logp=1,logp=2"): "Found logp twice in --where",
        ("sample", "--where", "logp=1", "--where", "logp=2"): "Found logp twice in --where",
        ("sample", "--where", "logp=nan"): "name=number",
        ("sample", "--near", "lgp=1"): "Did you mean 'logp'?",
        ("sample", "--near", "logp=1,logp=2"): "Found logp twice in --near",
        ("sample", "--scaffold", "[SiH4]"): "outside the vocabulary",
        ("sample", "--scaffold", "C" * 400): "400 atoms",
        ("sample", "--scaffold", "CCCC"): "The scaffold has 4 C",
        ("evaluate-properties", "--targets", "gap=1"): "RDKit does not compute 'gap'",
        ("evaluate-properties", "--targets", "rings=1"): "not on rings: give --particles",
    }
    for argv, expected in cases.items():
        place = drawn if argv[0] == "sample" else []
        assert expected in refuse(capsys, *argv, *model, *place), argv


SOURCES = ["lobster", pytest.param("molecules.smi", marks=pytest.mark.slow)]


@pytest.mark.parametrize("source", SOURCES)
def test_evaluate(folder: Path, source: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data.source", source, "--data.count", "20"]
    main(["graphs", "train", "--config", "tiny.yaml", *words])
    main(["graphs", "evaluate", "--model", "runs/tiny", "--count", "40", "--out", "report"])
    report = json.loads(Path("report/metrics.json").read_text())
    assert 1 <= report["calls"] and 0 <= report["unique"] <= 1
    expected = {"vun", "orbit_ratio"} if source == "lobster" else {"fcd", "corrected_valid"}
    assert expected <= report.keys()
    assert "| unique |" in capsys.readouterr().out


def test_wrong_input_gets_one_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty.smi").write_text("")
    Path("broken.smi").write_text("C(C\nxx\n")
    cases = {
        ("train", "--config", "tiny.yaml", "--data.source", "empty.smi"): "empty.smi",
        ("train", "--config", "tiny.yaml", "--data.source", "broken.smi"): "broken.smi",
        ("train", "--config", "tiny.yaml", "--data.source", "none.smi"): "none.smi",
        ("train", "--config", "tiny.yaml", "--model.dimm", "8"): "--model.dim",
        ("sample", "--model", "qm8"): "no model 'qm8'",
        ("describe", "--source", "molecules.smi", "--colunm", "a"): "--column",
        ("describe", "--source", "plannar"): "Did you mean 'planar'?",
        ("train", "--config", "tiny.yaml", "--data.source", "mosses"): "Did you mean 'moses'?",
    }
    for argv, expected in cases.items():
        assert expected in refuse(capsys, *argv), argv
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    "argv",
    [
        "sample --count 0",
        "sample --batch 0",
        "sample --calls -1",
        "evaluate --count -1",
        "evaluate --held-out 0",
        "evaluate-properties --count 0",
        "evaluate-scaffolds --particles 8 0",
        "invariance --draws 0",
        "demo --count 0",
    ],
)
def test_numbers_below_one_are_refused(argv: str, capsys: pytest.CaptureFixture[str]) -> None:
    command, option, *_, number = argv.split()
    expected = f"Found {option} {number}, expected a whole number above 0."
    assert expected in refuse(capsys, *argv.split(), "--model", "nowhere")


def test_fewer_draws_than_one_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    found = refuse(capsys, "sample", "--particles", "0.5", "--model", "nowhere")
    assert "Found --particles 0.5, expected a number of at least 1." in found


@pytest.mark.parametrize(
    "argv",
    [
        "evaluate-scaffolds --model x --scaffolds",
        "evaluate-scaffolds --model x --particles",
        "evaluate-properties --model x --guidance",
        "compare --models x --calls",
        "compare --models",
        "judge --files",
    ],
)
def test_options_that_want_a_value(argv: str, capsys: pytest.CaptureFixture[str]) -> None:
    *words, option = argv.split()
    said = refuse(capsys, *words, option)
    assert f"Found {option} without a value, expected one value or more." in said


@pytest.mark.parametrize(
    "command", ["evaluate", "compare", "evaluate-properties", "evaluate-scaffolds", "demo"]
)
def test_folders_that_cannot_be_written_are_refused_before_the_work(
    command: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = "--models" if command == "compare" else "--model"
    said = refuse(capsys, command, model, "nowhere", "--out", "molecules.smi")
    assert "Found --out molecules.smi, but molecules.smi is a file, expected a folder." in said


def test_other_places_that_cannot_be_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("runs").write_text("")
    cases = {
        ("train", "--config", "tiny.yaml"): "Found --name runs/tiny, but runs is a file",
        ("sample", "--model", "x", "--out", "runs/x.smi"): "runs is a file, expected a folder",
        ("sample", "--model", "x", "--out", "x.pdb"): "a name that ends in .smi or .csv or",
        ("describe", "--source", "tree", "--out", "."): "which is a folder, expected a file",
    }
    for argv, expected in cases.items():
        assert expected in refuse(capsys, *argv), argv


def test_help_does_without_torch() -> None:
    source = """
import sys
from refine_core.app.cli import main
main(["graphs", "--help"])
heavy = {"torch", "scipy", "rdkit", "networkx", "matplotlib"} & sys.modules.keys()
assert not heavy, heavy
"""
    run = [sys.executable, "-c", source]
    root = Path(__file__).parents[3]
    ended = subprocess.run(run, capture_output=True, text=True, check=False, cwd=root)
    assert (ended.returncode, ended.stderr) == (0, "") and "evaluate-scaffolds" in ended.stdout
