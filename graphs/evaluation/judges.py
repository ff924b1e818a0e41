"""Judges of molecules from outside: what chemistry that is known has to say about samples.

`chembl_gen_check` looks rings, scaffolds and the pairs of atoms at bonds up among the molecules of
ChEMBL, and searches for structural alerts.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

from graphs.chem.scores import examine
from graphs.datasets.molecule_files import read_records
from refine_core.app.report import Column, table, write_report
from refine_core.errors import InputError
from refine_core.storage.files import write_json

SHARES = {
    "valid": "valid",
    "rings": "rings of ChEMBL",
    "scaffolds": "scaffolds of ChEMBL",
    "skeletons": "skeletons of ChEMBL",
    "alert_free": "free of alerts",
    "lacan": "LACAN above .5",
}
COLUMNS: list[Column | str] = [
    "file",
    "molecules",
    *(Column(title, key, ".3f", align="right") for key, title in SHARES.items()),
]


def judge(files: Sequence[Path], out: Path, count: int = 2000) -> str:
    """Judge files of molecules, into judges.json and JUDGES.md.

    Args:
        files: Of SMILES, as `read_records` reads them.
        out: Folder.
        count: Molecules of each file that are judged, chosen at random.

    Returns:
        A table, a row a file.

    Raises:
        InputError: The judge is not installed, or a file cannot be read.
    """
    checker = _checker()
    for path in files:
        if {".sdf", ".mol"} & {suffix.lower() for suffix in path.suffixes}:
            raise InputError(f"Found {path}; give SMILES, a line each or in a column of a .csv.")
    records = {path: read_records(path) for path in files}
    rows = []
    for path, found in records.items():
        texts = found.random_sample(count).texts
        shares = chembl_shares(texts, checker)
        rows.append({"file": path.name, "molecules": len(texts), **shares})
    write_json(out / "judges.json", rows)
    text = table(COLUMNS, rows)
    write_report(out / "JUDGES.md", text)
    return text


def chembl_shares(
    smiles: Sequence[str | None], checker: ModuleType | None = None
) -> dict[str, float]:
    """Shares of the molecules that pass each check of `chembl_gen_check`, by the keys of `SHARES`.

    Of a molecule in several pieces the largest is judged; those that are not valid pass nothing.
    """
    check = (checker or _checker()).Checker()
    passed = dict.fromkeys(SHARES, 0)
    for text in smiles:
        molecule = examine(text)
        if molecule is None:
            continue
        check.load_smiles(molecule.smiles)
        found: Mapping[str, bool] = {
            "valid": True,
            "rings": check.check_ring_systems(),
            "scaffolds": check.check_scaffold(),
            "skeletons": check.check_skeleton(),
            "alert_free": check.check_structural_alerts() == 0,
            "lacan": check.check_lacan() > 0.5,
        }
        for key, passes in found.items():
            passed[key] += passes
    return {key: number / max(1, len(smiles)) for key, number in passed.items()}


def _checker() -> ModuleType:
    try:
        import chembl_gen_check
    except ImportError as error:
        raise InputError(
            "Found no package chembl_gen_check, which judges molecules by those of ChEMBL: "
            "`pip install 'refine[judges]'`."
        ) from error
    module: ModuleType = chembl_gen_check
    return module
