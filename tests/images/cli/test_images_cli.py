"""The commands as a user types them: what they make, and the sentence for each wrong input."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from images.model import MODELS, load
from refine_core.app.cli import main
from refine_core.config.schema import dump
from refine_core.storage.files import write_text
from tests.images.tiny import CONFIG, IMAGES
from tests.ranks import REFINE, started

RUNS = Path("runs/tiny")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with data.npz and tiny.yaml."""
    monkeypatch.chdir(tmp_path)
    arrays = {
        f"{name}_{split}": array.numpy()
        for split, part in (("train", IMAGES.train), ("test", IMAGES.test))
        for name, array in (("x", part.images), ("y", part.labels))
        if array is not None
    }
    np.savez("data.npz", **arrays)  # type: ignore[arg-type]
    write_text("tiny.yaml", dump(CONFIG).replace("data: null", "data: data.npz"))
    return tmp_path


@pytest.fixture(scope="module")
def once() -> list[Path]:
    """Folder of runs, once one was trained."""
    return []


@pytest.fixture
def trained(folder: Path, once: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working folder after `refine images train`, which runs once."""
    if not once:
        main(["images", "train", "--config", "tiny.yaml"])
        once.append(tmp_path_factory.mktemp("trained") / "runs")
        shutil.copytree("runs", once[0])
    else:
        shutil.copytree(once[0], "runs")
    return folder


def refuse(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """Run a command that must fail, and return its one sentence."""
    with pytest.raises(SystemExit) as end:
        main(["images", *argv])
    assert end.value.code == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("refine: ") and "Traceback" not in said
    return said


def test_train_sample_edit_evaluate(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = {path.relative_to(RUNS).as_posix() for path in RUNS.rglob("*") if path.is_file()}
    parts = ("config.yaml", "run.json", "metrics.csv", "metrics.json", "curves.png")
    assert made >= {f"{k}/{part}" for k in ("tokenizer", "generator") for part in parts}
    assert "model.safetensors" in made
    main(
        [
            "images",
            "sample",
            "--model",
            str(RUNS),
            "--count",
            "6",
            "--label",
            "1",
            "--out",
            "a.npz",
        ]
    )
    drawn = np.load("a.npz")
    assert drawn["images"].shape == (6, 1, 11, 12) and (drawn["labels"] == 1).all()
    main(["images", "sample", "--model", str(RUNS), "--count", "6", "--out", "a.png"])
    edit = ["images", "edit", "--model", str(RUNS), "--source", "data.npz", "--count", "3"]
    main([*edit, "--box", "0", "0", "5", "5", "--out", "b.png"])
    main([*edit, "--keep-scales", "2", "--out", "c.npz"])
    assert Path("b.png").stat().st_size > 500 and np.load("c.npz")["images"].shape[0] == 3
    main(["images", "train-evaluator", "--source", "data.npz", "--out", "judge.safetensors"])
    tune = ["images", "tune", "--source", "data.npz", "--judge", "judge.safetensors"]
    main(
        [
            *tune,
            "--model",
            str(RUNS),
            "--guidance",
            "0",
            "1",
            "--temperature",
            "0.5",
            "--power",
            "0",
        ]
    )
    sampling = load("tuned.safetensors").config.sampling
    assert sampling.guidance[0] in (0, 1) and sampling.temperature == (0.5,)
    evaluate = ["images", "evaluate", "--model", str(RUNS), "--source", "data.npz"]
    main([*evaluate, "--judge", "judge.safetensors", "--samples", "64", "--out", "report"])
    assert "Frechet" in capsys.readouterr().out
    assert not [path for path in Path().rglob(".*") if path.is_file()]


def test_distil(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = "training: {epochs: 1, batch: 16}"
    write_text("few.yaml", f"name: few\nmodel: {RUNS}\ndata: data.npz\nrounds: [[1]]\n{short}\n")
    main(["images", "distil", "--config", "few.yaml", "--targets", "draws"])
    assert "model: runs/few/model.safetensors" in capsys.readouterr().out
    assert len(load("runs/few").sample(2)) == 2
    said = refuse(capsys, "distil", "--config", "few.yaml", "--targets", "law")
    assert "Found --targets law, expected one of data, draws, laws" in said


def test_wrong_config(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = Path("tiny.yaml").read_text()
    write_text("typo.yaml", text.replace("truncation", "trunkation"))
    assert "Did you mean 'truncation'" in refuse(capsys, "train", "--config", "typo.yaml")
    write_text("type.yaml", text.replace("depth: 1", "depth: deep"))
    assert "generator.depth" in refuse(capsys, "train", "--config", "type.yaml")
    assert "no-such.yaml" in refuse(capsys, "train", "--config", "no-such.yaml")
    assert "--generator" in refuse(
        capsys, "train", "--config", "tiny.yaml", "--generator.dept", "2"
    )
    assert not Path("runs").exists()


def test_wrong_files(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = (RUNS / "model.safetensors").read_bytes()
    Path("cut.safetensors").write_bytes(whole[: len(whole) // 2])
    Path("other.safetensors").write_bytes(b"not a checkpoint at all")
    for name in ("cut.safetensors", "other.safetensors"):
        assert name in refuse(capsys, "sample", "--model", name)
    assert "'mnsit'" in refuse(capsys, "sample", "--model", "mnsit")
    assert "'train'" in refuse(capsys, "trian")
    assert ".png or .npz" in refuse(capsys, "sample", "--model", str(RUNS), "--out", "a.gif")
    for label in ("7", "1000000000", "-2"):
        said = refuse(capsys, "sample", "--model", str(RUNS), "--label", label)
        assert f"Found --label {label}, expected a class of this model: 0 to 1, or -1" in said
    box = ("--box", "0", "0", "50", "5")
    source = ("--source", "data.npz", "--model", str(RUNS))
    assert "Found --box 0 0 50 5, expected" in refuse(capsys, "edit", *source, *box)
    assert "either --box" in refuse(capsys, "edit", *source)
    many = ["--count", "9000", "--keep-scales", "1"]
    assert "test images: give fewer" in refuse(capsys, "edit", *source, *many)


@pytest.mark.parametrize(
    "argv",
    [
        "sample --count 0",
        "sample --batch 0",
        "edit --count -1",
        "tune --samples 0 --model x",
        "evaluate --samples 0",
    ],
)
def test_numbers_below_one_are_refused(argv: str, capsys: pytest.CaptureFixture[str]) -> None:
    command, option, number, *rest = argv.split()
    expected = f"Found {option} {number}, expected a whole number above 0."
    assert expected in refuse(capsys, command, option, number, *rest)


def test_wrong_studies(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refuse(capsys, "study", "--arms", "latent-codes", "latent-difusion")
    assert "'latent-difusion'" in said and "Did you mean 'latent-diffusion'?" in said
    few = ["--data", "data.npz", "--tuning.images", "20", "--tuning.samples", "30"]
    assert "`tuning.samples` 30, but there are 20 held-out" in refuse(capsys, "study", *few)
    assert "no-such.npz" in refuse(capsys, "study", "--data", "no-such.npz")
    assert not Path("runs").exists()


def test_places_that_cannot_be_written_are_refused_before_the_work(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("runs").write_text("")
    cases = {
        ("train", "--config", "tiny.yaml"): "Found --name runs/tiny, but runs is a file",
        ("ablate", "--out", "runs/x"): "Found --out runs/x, but runs is a file",
        ("ablate", "--out"): "--out",
        ("ablate", "--out", "x", "--out", "y"): "Found --out twice, expected it once",
        ("study", "--out", "runs"): "Found --out runs, but runs is a file",
        ("evaluate", "--out", "runs"): "Found --out runs, but runs is a file",
        ("demo", "--out", "runs"): "Found --out runs, but runs is a file",
        ("tune", "--model", "x", "--out", "runs/x.safetensors"): "runs is a file",
        ("tune", "--model", "x", "--out", "x.pt"): "a name that ends in .safetensors",
        ("train-evaluator", "--out", "x.pt"): "a name that ends in .safetensors",
        ("edit", "--box", "0", "0", "1", "1", "--out", "a.gif"): ".png or .npz",
    }
    for argv, expected in cases.items():
        assert expected in refuse(capsys, *argv), argv


def test_help_does_without_torch() -> None:
    source = """
import sys
from refine_core.app.cli import main
main(["images", "--help"])
heavy = {"torch", "scipy", "matplotlib"} & sys.modules.keys()
assert not heavy, heavy
"""
    run = [sys.executable, "-c", source]
    root = Path(__file__).parents[3]
    ended = subprocess.run(run, capture_output=True, text=True, check=False, cwd=root)
    assert (ended.returncode, ended.stderr) == (0, "") and "train-evaluator" in ended.stdout


def test_wrong_data(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pixels = IMAGES.train.images.numpy().copy()
    pixels[3, 0, 2, 2] = np.nan
    np.savez("nan.npz", images=pixels, labels=IMAGES.train.labels.numpy())  # type: ignore[union-attr]
    said = refuse(capsys, "train", "--config", "tiny.yaml", "--data", "nan.npz")
    assert "nan.npz" in said and "not finite" in said
    assert "none.npz" in refuse(capsys, "train", "--config", "tiny.yaml", "--data", "none.npz")


def test_a_run_is_not_continued_on_other_images(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (RUNS / "model.safetensors").read_bytes()
    arrays = dict(np.load("data.npz"))
    np.savez("data.npz", **arrays | {"y_train": arrays["y_train"][::-1]})
    assert "on other data than the source has" in refuse(capsys, "train", "--config", "tiny.yaml")
    assert (RUNS / "model.safetensors").read_bytes() == whole


def test_full_disk(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "the disk is full" in refuse(capsys, "train", "--config", "tiny.yaml")
    assert not [path for path in Path("runs").rglob("*") if path.is_file()]


@pytest.mark.slow
def test_killed_training_ends_with_the_same_metrics(folder: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "refine_core.app.cli",
        "images",
        "train",
        "--config",
        "tiny.yaml",
    ]
    longer = ["--generator.training.epochs", "20", "--generator.training.save_minutes", "0.001"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def run(name: str, seconds: float | None) -> None:
        process = subprocess.Popen([*command, *longer, "--name", name], env=environment)
        if seconds is not None:
            metrics = Path("runs") / name / "generator" / "metrics.json"
            while not metrics.exists():
                time.sleep(0.05)
            time.sleep(seconds)
            process.send_signal(signal.SIGKILL)
        assert process.wait() == (0 if seconds is None else -signal.SIGKILL)

    run("whole", None)
    run("killed", 0.5)
    run("killed", None)
    tables = [
        np.genfromtxt(f"runs/{name}/generator/metrics.csv", delimiter=",", names=True)
        for name in ("whole", "killed")
    ]
    assert len(tables[0]) == 20
    for name in tables[0].dtype.names or ():
        if name != "seconds":
            assert np.array_equal(tables[0][name], tables[1][name]), name
    models = [MODELS.load(f"runs/{name}") for name in ("whole", "killed")]
    for key, tensor in models[0].tensors.items():
        assert torch.equal(tensor, models[1].tensors[key]), key


@pytest.mark.slow
def test_of_the_processes_of_torchrun_the_first_prints_and_writes(folder: Path) -> None:
    words = ["images", "train", "--config", "tiny.yaml"]
    for part in ("tokenizer", "generator"):
        words.append(f"--{part}.training.fsdp")
    with started(REFINE, 2, *words, printed=True) as running:
        (out, err), others = (process.communicate(timeout=240) for process in running)
        assert [process.returncode for process in running] == [0, 0], err
    assert out == f"model: {RUNS / 'model.safetensors'}\n" and "epoch 1" in err
    assert others == ("", "")
    assert load(RUNS).sample(2).shape[0] == 2
