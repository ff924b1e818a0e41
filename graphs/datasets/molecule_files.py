"""Records of molecules in .smi, .csv, .tsv and .sdf files, gzipped or not."""

import csv
import gzip
import math
import zlib
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from graphs.data.disk_array import DiskStrings
from refine_core.errors import InputError, suggest

Column = NDArray[np.float32]
MISSING = {"", "-", "na", "n/a", "nan", "null", "none"}  # values, in upper or lower case


@dataclass(frozen=True)
class Records:
    """Rows of a file, whose texts have not been parsed as molecules yet.

    Args:
        numbers: (n,) the line on which each record stands, or of .sdf its number, from 1.
        texts: SMILES or mol blocks.
        columns: Name -> (n,) float32, NaN where a value is missing; only numeric columns.
        refused: Columns that are not numeric: name -> number and value of the first record whose
            value is no number.
    """

    numbers: Sequence[int]
    texts: Sequence[str]
    columns: dict[str, Column] = field(default_factory=dict)
    refused: dict[str, tuple[int, str]] = field(default_factory=dict)

    def random_sample(self, count: int, seed: int = 0) -> "Records":
        """So many of them, chosen at random, in their order; all if there are no more."""
        order = np.random.default_rng(seed).permutation(len(self.texts))
        chosen = np.sort(order[:count])
        return replace(
            self,
            numbers=[self.numbers[i] for i in chosen],
            texts=[self.texts[int(i)] for i in chosen],
            columns={name: values[chosen] for name, values in self.columns.items()},
        )


def read_records(path: Path, column: str = "smiles") -> Records:
    """Read a file of molecules by its suffix.

    - `.smi`, `.smiles`, `.txt`: a SMILES at the start of each line, what follows it is ignored;
      empty lines are too.
    - `.csv`, `.tsv`: a header line, a column of SMILES (upper and lower case are one), and
      numeric columns, which become properties; a value may be missing, see `MISSING`.
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
    numbers, texts = array("q"), DiskStrings()
    for number, line in enumerate(file, start=1):
        if words := line.split(None, 1):
            numbers.append(number)
            texts.append(words[0])
    return Records(numbers, texts)


def _csv(file: IO[str], column: str, path: Path) -> Records:
    """Read a column of SMILES and all numeric columns, separated by commas or tabs."""
    tabs = path.name.lower().removesuffix(".gz").endswith(".tsv")
    reader = csv.reader(file, delimiter="\t" if tabs else ",")
    header = [name.strip() for name in next(reader, [])]
    place = _place(header, column, path)
    numbers, texts = array("q"), DiskStrings()
    columns = _Columns()
    for row in reader:
        if row:
            numbers.append(reader.line_num)
            texts.append(row[place] if place < len(row) else "")
            cells = enumerate(zip(header, row, strict=False))
            columns.add(reader.line_num, {name: text for i, (name, text) in cells if i != place})
    return Records(numbers, texts, columns.numeric(), columns.refused)


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
    texts, columns = DiskStrings(), _Columns()
    for number, record in enumerate(_blocks(file), start=1):
        block, end, rest = record.partition("M  END")
        texts.append(block + end + "\n")
        columns.add(number, _data_fields(rest))
    return Records(list(range(1, len(texts) + 1)), texts, columns.numeric(), columns.refused)


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


class _Columns:
    """Numeric columns, record by record.

    Attributes:
        refused: See `Records`.
    """

    def __init__(self) -> None:
        self.refused: dict[str, tuple[int, str]] = {}
        self._values: dict[str, array[float]] = {}
        self._count = 0

    def add(self, number: int, cells: Mapping[str, str]) -> None:
        """Append a record's values by the names of their columns."""
        for name, text in cells.items():
            if name not in self.refused:
                try:
                    missing = text.strip().casefold() in MISSING
                    self._filled(name).append(math.nan if missing else float(text))
                except ValueError:
                    self.refused[name] = number, text
                    del self._values[name]
        self._count += 1

    def numeric(self) -> dict[str, Column]:
        """Columns in which every value is a number or missing, and not all are."""
        columns = {name: np.array(self._filled(name), np.float32) for name in self._values}
        return {name: values for name, values in columns.items() if not np.isnan(values).all()}

    def _filled(self, name: str) -> "array[float]":
        """Values of a column, NaN for the records so far that do not have it."""
        values = self._values.setdefault(name, array("d"))
        values.extend([math.nan] * (self._count - len(values)))
        return values


READERS: dict[str, Callable[[IO[str], str, Path], Records]] = {
    **dict.fromkeys((".smi", ".smiles", ".txt"), _smi),
    **dict.fromkeys((".csv", ".tsv"), _csv),
    **dict.fromkeys((".sdf", ".mol"), _sdf),
}
