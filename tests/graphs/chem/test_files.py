"""Molecules are written to files and read again."""

import csv
import resource
from pathlib import Path

import numpy as np
import pytest
import torch

from graphs.chem import (
    ParseOptions,
    canonical,
    collect_molecules,
)
from graphs.chem.files import write_molecules
from graphs.datasets.molecule_files import read_records
from refine_core.errors import InputError


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


def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(OSError, match=r"a\.sdf"):
            write_molecules(["CCO"] * 100, tmp_path / "a.sdf")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("smiles", "name", "sentence"),
    [
        ("C", "a.xyz", "suffix '.xyz'; expected one of .smi"),
        ("C1", "a.sdf", "'C1' is not a molecule"),
    ],
)
def test_wrong_files_are_refused(tmp_path: Path, smiles: str, name: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        write_molecules([smiles], tmp_path / name)
    assert not list(tmp_path.iterdir())
