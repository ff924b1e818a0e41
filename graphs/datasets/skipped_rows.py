"""Lists of the rows of a file that were skipped, and warnings of what was lost in reading it."""

import csv
import io
import logging
from collections.abc import Sequence
from pathlib import Path

from graphs.data.store import GraphStore
from graphs.datasets.molecule_files import Records
from refine_core.storage.files import write_text

log = logging.getLogger(__name__)


def list_skipped(records: Records, skipped: Sequence[tuple[int, str]], listing: Path) -> None:
    """Write a list of the skipped rows, and beside it one of the columns that are not numeric."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", "molecule", "reason"])
    writer.writerows(
        (records.numbers[place], first_line(records.texts[place]), reason)
        for place, reason in skipped
    )
    write_text(listing, text.getvalue())
    if records.refused:
        columns = (
            f"{name} (row {number}: {value[:40]!r})"
            for name, (number, value) in records.refused.items()
        )
        write_text(_columns(listing), ", ".join(columns))


def _columns(listing: Path) -> Path:
    """File with the columns that are not numeric."""
    return listing.with_suffix(".columns.txt")


def first_line(text: str) -> str:
    """SMILES, or the title of a mol block."""
    return text.split("\n", 1)[0].strip()


def warn_of_losses(path: Path, store: GraphStore, listing: Path) -> None:
    """Warn of skipped rows, dropped parts, salts and columns that are not numeric."""
    if skipped := store.report["skipped"]:
        rows = skipped + store.report["kept"]
        log.warning("%s: %d of %d rows skipped; see %s", path, skipped, rows, listing)
    for what, count in store.report["dropped"].items():
        log.warning("%s: %s dropped from %d molecules", path, what, count)
    if pieces := store.report.get("in several pieces"):
        log.warning(
            "%s: %d of %d molecules are in several pieces, such as salts, and so will samples be: "
            "data.largest_fragment leaves the largest piece only",
            *(path, pieces, store.report["kept"]),
        )
    if (columns := _columns(listing)).exists():
        found = columns.read_text(encoding="utf-8")
        log.warning("%s: not properties, for not all values are numbers: %s", path, found)
