import csv
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graphs.chem import ParseOptions, collect_molecules, to_smiles
from graphs.data.batch import Vocabulary
from graphs.data.store import GraphStore
from graphs.datasets import molecules as sources
from graphs.datasets.molecule_files import read_records
from graphs.datasets.molecules import read_molecules, read_splits
from refine_core.errors import InputError


def texts(store: GraphStore) -> list[str]:
    return store.text(torch.arange(len(store)))


def read(path: Path, reading: ParseOptions = sources.DEFAULT, **options: Any) -> GraphStore:
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
    assert read(path, ParseOptions(hydrogens=True)).sizes.tolist() == [8] and calls == 2
    path.write_text("CCC\n")
    assert read(path).sizes.tolist() == [3] and calls == 3
    vocabulary = Vocabulary(("O", "C"), ("SINGLE",))
    store = read(path, ParseOptions(vocabulary=vocabulary))
    assert store.vocabulary == vocabulary and store[torch.tensor([0])][0].nodes.tolist() == [
        [1] * 3
    ]


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
        read(tmp_path / "b.smi", ParseOptions(vocabulary=Vocabulary(("C",))))
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
