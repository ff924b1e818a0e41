"""Records of molecules in .smi, .csv, .tsv and .sdf files, gzipped or not."""

import csv
import gzip
import zlib
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from graphs.spool import Texts
from refine_core.errors import InputError, suggest

Column = NDArray[np.float32]


@dataclass(frozen=True)
class Records:
    """What a file says, not yet understood as molecules.

    Args:
        numbers: (n,) the line on which each record stands, or of .sdf its number, from 1.
        texts: SMILES or mol blocks.
        columns: Name -> (n,) float32, NaN where a value is missing; only numeric columns.
    """

    numbers: Sequence[int]
    texts: Sequence[str]
    columns: dict[str, Column] = field(default_factory=dict)

    def drawn(self, count: int, seed: int = 0) -> "Records":
        """So many of them, drawn at random, in their order; all if there are no more."""
        order = np.random.default_rng(seed).permutation(len(self.texts))
        kept = np.sort(order[:count])
        return Records(
            [self.numbers[i] for i in kept],
            [self.texts[int(i)] for i in kept],
            {name: values[kept] for name, values in self.columns.items()},
        )


def read_records(path: Path, column: str = "smiles") -> Records:
    """Read a file of molecules by its suffix.

    - `.smi`, `.smiles`, `.txt`: a SMILES at the start of each line, what follows it is ignored;
      empty lines are too.
    - `.csv`, `.tsv`: a header line, a column of SMILES (upper and lower case are one), and
      numeric columns, which become properties.
    - `.sdf`, `.mol`: mol blocks, and data fields, which become properties where numeric.

    Any of them with `.gz` behind.

    Raises:
        InputError: The file does not exist, has another suffix, is damaged or empty, or does not
            have the column.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = (
        suffixes[-2] if suffixes[-1:] == [".gz"] and len(suffixes) > 1 else "".join(suffixes[-1:])
    )
    if kind not in READERS:
        raise InputError(f"{path} has the suffix {kind!r}; expected one of {', '.join(READERS)}.")
    if not path.is_file():
        raise InputError(f"{path} is not a file; give one of molecules ({', '.join(READERS)}).")
    opened = gzip.open if suffixes[-1] == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            records = READERS[kind](file, column, path)
    except (csv.Error, gzip.BadGzipFile, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}); write it again.") from None
    if not records.texts:
        raise InputError(f"{path} is empty; expected one molecule at least.")
    return records


def _smi(file: IO[str], column: str, path: Path) -> Records:
    """Read the first word of every line."""
    numbers, texts = array("q"), Texts()
    for number, line in enumerate(file, start=1):
        if words := line.split(None, 1):
            numbers.append(number)
            texts.append(words[0])
    return Records(numbers, texts)


def _csv(file: IO[str], column: str, path: Path) -> Records:
    """Read a column of SMILES and all numeric columns, separated by commas or tabs."""
    reader = csv.reader(file, delimiter="\t" if ".tsv" in path.suffixes else ",")
    header = [name.strip() for name in next(reader, [])]
    place = _place(header, column, path)
    numbers, texts = array("q"), Texts()
    fields = {name: (i, array("d")) for i, name in enumerate(header) if i != place}
    for row in reader:
        if row:
            numbers.append(reader.line_num)
            texts.append(row[place] if place < len(row) else "")
            for name, (i, values) in list(fields.items()):
                try:
                    values.append(float(row[i] if i < len(row) and row[i] else "nan"))
                except ValueError:
                    del fields[name]  # not a numeric column
    columns = {name: np.array(values, np.float32) for name, (_, values) in fields.items()}
    known = {name: values for name, values in columns.items() if not np.isnan(values).all()}
    return Records(numbers, texts, known)


def _place(header: Sequence[str], column: str, path: Path) -> int:
    """Where the column of SMILES is."""
    if column in header:
        return header.index(column)
    folded = [name.casefold() for name in header]
    if column.casefold() in folded:
        return folded.index(column.casefold())
    raise InputError(
        f"{path} has no column {column!r} but {', '.join(map(repr, header)) or 'no header'}; name "
        f"the column that holds SMILES.{suggest(column, header)}"
    )


def _sdf(file: IO[str], column: str, path: Path) -> Records:
    """Read mol blocks and their data fields."""
    texts = Texts()
    values: list[dict[str, str]] = []
    for record in _blocks(file):
        block, end, rest = record.partition("M  END")
        texts.append(block + end + "\n")
        values.append(_data_fields(rest))
    names = dict.fromkeys(name for row in values for name in row)
    fields = {name: [row.get(name, "") for row in values] for name in names}
    return Records(list(range(1, len(texts) + 1)), texts, _numeric(fields))


def _blocks(file: IO[str]) -> Iterator[str]:
    """Split an .sdf file at the lines `$$$$`."""
    lines: list[str] = []
    for line in file:
        if line.rstrip() == "$$$$":
            yield "".join(lines)
            lines = []
        else:
            lines.append(line)
    if "".join(lines).strip():
        yield "".join(lines)


def _data_fields(text: str) -> dict[str, str]:
    """First lines of the fields `> <name>` behind a mol block."""
    lines = [line.strip() for line in text.splitlines()]
    return {
        line[line.index("<") + 1 : line.rindex(">")]: value
        for line, value in zip(lines, lines[1:], strict=False)
        if line.startswith(">") and "<" in line
    }


def _numeric(fields: Mapping[str, Sequence[str]]) -> dict[str, Column]:
    """Convert the columns in which every value is a number or missing, and not all are."""
    columns = {}
    for name, values in fields.items():
        try:
            column = np.array([float(value or "nan") for value in values], np.float32)
        except ValueError:
            continue
        if not np.isnan(column).all():
            columns[name] = column
    return columns


READERS: dict[str, Callable[[IO[str], str, Path], Records]] = {
    **dict.fromkeys((".smi", ".smiles", ".txt"), _smi),
    **dict.fromkeys((".csv", ".tsv"), _csv),
    **dict.fromkeys((".sdf", ".mol"), _sdf),
}
