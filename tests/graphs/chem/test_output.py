"""Molecules out: properties, files, pictures."""

import csv
import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from graphs.chem import (
    ParseOptions,
    canonical,
    collect_molecules,
    to_smiles,
)
from graphs.chem.files import write_molecules
from graphs.chem.pictures import plot_molecules
from graphs.chem.properties import PROPERTIES, property_values
from graphs.data.batch import Vocabulary
from graphs.datasets.molecule_files import read_records
from refine_core.errors import InputError
from tests.graphs.chem.test_chem import PLAIN, graph


def test_properties_of_known_molecules() -> None:
    values = property_values(["CC(=O)Oc1ccccc1C(=O)O", None], list(PROPERTIES))
    aspirin = {name: column[0] for name, column in values.items()}
    assert aspirin["weight"] == pytest.approx(180.16, abs=0.01)
    assert aspirin["tpsa"] == pytest.approx(63.6, abs=0.01)
    assert aspirin["logp"] == pytest.approx(1.31, abs=0.01)
    assert aspirin["qed"] == pytest.approx(0.55, abs=0.01)
    assert aspirin["sa"] == pytest.approx(1.58, abs=0.01)
    whole = ("atoms", "rings", "aromatic_rings", "donors", "acceptors", "charge")
    assert [aspirin[name] for name in whole] == [13, 1, 1, 1, 3, 0]
    assert all(np.isnan(column[1]) for column in values.values())
    with pytest.raises(InputError, match="Did you mean 'logp'"):
        property_values(["C"], ["logP2"])


@pytest.mark.parametrize("coordinates", ["2d", "3d"])
def test_written_files_are_read_again(tmp_path: Path, coordinates: str) -> None:
    smiles = ["CCO", "c1ccccc1", "C[N+](C)(C)C"]
    numbers = {"gap": np.array([0.25, np.nan, -3], np.float32)}
    for suffix in ("smi", "csv", "sdf"):
        path = tmp_path / f"molecules.{suffix}"
        write_molecules(smiles, path, numbers, coordinates=coordinates)  # type: ignore[arg-type]
        records = read_records(path)
        found = collect_molecules(records.texts, ParseOptions(), quiet=True)
        assert found.store.text(torch.arange(3)) == [canonical(text) for text in smiles]
        assert found.store.report["dropped"] == {}
        if suffix != "smi":
            assert np.array_equal(records.columns["gap"], numbers["gap"], equal_nan=True)
    block = read_records(tmp_path / "molecules.sdf").texts[0].splitlines()
    atoms = 9 if coordinates == "3d" else 3
    rows = np.array([[float(x) for x in line.split()[:3]] for line in block[4 : 4 + atoms]])
    assert rows[:, :2].std() > 0.5 and (rows[:, 2].std() > 0.1) == (coordinates == "3d")
    with (tmp_path / "molecules.csv").open() as file:
        assert next(csv.reader(file)) == ["smiles", "gap"]


def test_conformers_follow_the_seed(tmp_path: Path) -> None:
    contents = []
    for seed in (0, 0, 1):
        write_molecules(["CCCCO"], tmp_path / "a.sdf", coordinates="3d", seed=seed)
        contents.append((tmp_path / "a.sdf").read_text().splitlines()[4:])
    assert contents[0] == contents[1] != contents[2]


def test_pictures(tmp_path: Path) -> None:
    plot_molecules(["CCO", "c1ccccc1", "C"], tmp_path / "grid.png", columns=2)
    header = (tmp_path / "grid.png").read_bytes()[:24]
    assert header[1:4] == b"PNG"
    assert [int.from_bytes(header[k : k + 4], "big") for k in (16, 20)] == [400, 400]
    plot_molecules(["CCO"], tmp_path / "grid.svg", legends=["ethanol"])
    assert "<svg" in (tmp_path / "grid.svg").read_text()


def test_a_picture_that_is_too_large_shows_what_fits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plot_molecules(["C"] * 170, tmp_path / "grid.png", columns=1)
    header = (tmp_path / "grid.png").read_bytes()[:24]
    assert [int.from_bytes(header[k : k + 4], "big") for k in (16, 20)] == [200, 163 * 200]
    assert "grid.png shows the first 163 of 170 molecules" in caplog.text
    plot_molecules(["C"] * 170, tmp_path / "wide.png", columns=170)
    plot_molecules(["C"] * 170, tmp_path / "grid.svg", columns=1)
    assert len(caplog.messages) == 1


def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(OSError, match=r"a\.sdf"):
            write_molecules(["CCO"] * 100, tmp_path / "a.sdf")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


def test_wrong_output(tmp_path: Path) -> None:
    calls: list[tuple[Callable[[], object], str]] = [
        (
            lambda: write_molecules(["C"], tmp_path / "a.xyz"),
            "suffix '.xyz'; expected one of .smi",
        ),
        (lambda: write_molecules(["C1"], tmp_path / "a.sdf"), "'C1' is not a molecule"),
        (lambda: plot_molecules(["C"], tmp_path / "a.jpg"), "expected .png or .svg"),
        (lambda: plot_molecules([], tmp_path / "a.png"), "no molecule to plot"),
        (lambda: plot_molecules(["C", "C1"], tmp_path / "a.png"), "'C1' is not a molecule"),
        (
            lambda: to_smiles(graph(["C"]), Vocabulary(("Xx",), PLAIN.edges)),
            "'Xx' is not the name of an atom",
        ),
        (lambda: to_smiles(graph(["C"]), Vocabulary(("C",), ("HALF",))), "'HALF' is not the name"),
    ]
    for call, sentence in calls:
        with pytest.raises(InputError, match=sentence):
            call()
    assert not list(tmp_path.iterdir())
