"""Judges from outside: shares, and what is refused before anything is judged."""

from pathlib import Path

import pytest

from graphs.evaluation.judges import chembl_shares, judge
from refine_core.errors import InputError

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
ODD = "C1=CC2=C1C1(N=C2)OO1"


def test_shares_of_what_is_known() -> None:
    pytest.importorskip("chembl_gen_check")
    drug, odd = chembl_shares([ASPIRIN]), chembl_shares([ODD])
    assert drug["valid"] == drug["rings"] == drug["scaffolds"] == drug["skeletons"] == 1
    assert odd["valid"] == 1 and odd["rings"] == odd["lacan"] == odd["alert_free"] == 0
    half = chembl_shares([ASPIRIN, None, "C(C)(C)(C)(C)C", "CO.CC(=O)Oc1ccccc1C(=O)O"])
    assert half["valid"] == half["rings"] == 0.5


def test_a_row_a_file(tmp_path: Path) -> None:
    pytest.importorskip("chembl_gen_check")
    (tmp_path / "a.smi").write_text(f"{ASPIRIN}\n{ASPIRIN}\n")
    (tmp_path / "b.csv").write_text(f"smiles,x\n{ODD},1\n")
    text = judge([tmp_path / "a.smi", tmp_path / "b.csv"], tmp_path, count=1)
    assert "| a.smi | 1 | 1.000 | 1.000 |" in text and "| b.csv | 1 | 1.000 | 0.000 |" in text
    assert (tmp_path / "JUDGES.md").exists() and (tmp_path / "judges.json").exists()


def test_no_mol_blocks(tmp_path: Path) -> None:
    pytest.importorskip("chembl_gen_check")
    with pytest.raises(InputError, match="give SMILES"):
        judge([tmp_path / "a.sdf"], tmp_path)
    with pytest.raises(InputError, match="give SMILES"):
        judge([tmp_path / "a.sdf.gz"], tmp_path)
