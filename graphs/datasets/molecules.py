"""Molecules to learn from: QM9 and MOSES by name, other files by path.

A file is read once. Its graphs are cached under a digest of its content and of the options of
reading, beside a list of the skipped rows with reasons.
"""

import json
import logging
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

from graphs.chem import ParseOptions, collect_molecules, parse_options, with_mined
from graphs.chem.fragments import is_atom
from graphs.data.store import GraphStore, load, save
from graphs.datasets.molecule_files import read_records
from graphs.datasets.moses import moses_folder
from graphs.datasets.qm9 import qm9_file
from graphs.datasets.skipped_rows import first_line, list_skipped, warn_of_losses
from graphs.datasets.splits import (
    Splits,
    molecule_groups,
    split_store,
    split_tenths,
    without_repeats,
)
from graphs.datasets.statistics import max_counts
from refine_core.errors import InputError
from refine_core.storage.archive import default_cache
from refine_core.storage.files import cached, digest, sha256

log = logging.getLogger(__name__)

FORMAT = 1  # of the cached files; part of their names
DEFAULT = ParseOptions()
QM9_TRAIN, MOSES_VALIDATION, MOSES_FEW = 100_000, 10_000, 10_000


def read_qm9(
    options: ParseOptions = DEFAULT, *, cache: Path | None = None, quiet: bool = False
) -> Splits:
    """Return QM9: 100,000 molecules to learn from, a tenth of all to test, the rest to validate.

    These are the counts of DiGress (Vignac et al. 2023) and MiDi, split with seed 0. Then
    molecules of an earlier part are left out of the later ones: 19 of 17,748 for validation are in
    training too, and 9 of 13,083 for test in training or validation. The properties are those of
    `graphs.datasets.qm9`.

    Raises:
        InputError: It is not in the cache and the package index cannot be reached, or the options
            of reading leave too few molecules.
    """
    store = read_molecules(qm9_file(cache), options, cache=cache, quiet=quiet)
    test = len(store) // 10
    validation = len(store) - QM9_TRAIN - test
    if validation < 1:
        raise InputError(
            f"QM9 has {len(store)} molecules of {options.limit} atoms at most, expected more than "
            f"{QM9_TRAIN}, to train, validate and test: give a larger limit."
        )
    return without_repeats(split_store(store, (QM9_TRAIN, validation, test)))


def read_moses(
    options: ParseOptions = DEFAULT,
    *,
    rows: int | None = None,
    cache: Path | None = None,
    quiet: bool = False,
) -> Splits:
    """Return MOSES in its own splits; 10,000 of its training set, chosen with seed 0, validate.

    Molecules of an earlier part are left out of the later ones.

    Args:
        options: How molecules become graphs.
        rows: Read only so many training molecules, and `MOSES_FEW` to validate and of each test
            set, chosen at random: a minute instead of half an hour.
        cache: As of `read_molecules`.
        quiet: Whether to show nothing.

    Raises:
        InputError: It is not in the cache and the package index cannot be reached, or it has fewer
            rows.
    """
    folder = moses_folder(cache)
    held, few = (MOSES_VALIDATION, None) if rows is None else (MOSES_FEW, MOSES_FEW)
    learnt = None if rows is None else rows + held
    train = read_molecules(folder / "train.csv.gz", options, rows=learnt, cache=cache, quiet=quiet)
    read = train.report["kept"] + train.report["skipped"]
    if learnt is not None and read < learnt:
        raise InputError(
            f"Found data.subset {rows}, but MOSES has {read - held} training molecules beside "
            "those that validate: give a smaller number, or leave it out."
        )
    same = parse_options(train.vocabulary, options.limit, options)
    test, scaffolds = (
        read_molecules(folder / f"{name}.csv.gz", same, rows=few, cache=cache, quiet=quiet)
        for name in ("test", "test_scaffolds")
    )
    parts = split_store(train, (len(train) - held, held, 0))
    return without_repeats(Splits(parts.train, parts.validation, test, scaffolds))


def read_splits(
    path: str | Path,
    options: ParseOptions = DEFAULT,
    *,
    column: str = "smiles",
    seed: int = 0,
    cache: Path | None = None,
    quiet: bool = False,
) -> Splits:
    """Read a file with `read_molecules`; a tenth, chosen with `seed`, validates, another tests.

    These are tenths of the distinct molecules, each with its duplicates. The report holds the
    count of duplicates, of which a warning tells. Fragments that are mined are those of training
    molecules: what only others have comes apart into atoms.

    Raises:
        InputError: As `read_molecules`, or there are fewer than three distinct molecules.
    """
    store = read_molecules(path, options, column=column, cache=cache, quiet=quiet)
    group = molecule_groups(store)
    distinct = 1 + int(group.max())
    if distinct < 3:
        raise InputError(
            f"{path} has {distinct} usable molecules that differ; expected three at least, to "
            "train, validate and test."
        )
    if duplicates := len(store) - distinct:
        log.warning(
            "%s: %d molecules repeat another, but for stereochemistry and the like; equal ones "
            "are in one part",
            *(path, duplicates),
        )
    parts = split_tenths(_reported(store, duplicates), seed, group)
    if options.mined:
        most = max_counts(parts.train)  # of labels of nodes, then of edges
        found = zip(store.vocabulary.nodes, most, strict=False)
        fragments = {name: count for name, count in found if not is_atom(name)}
        kept = tuple(name for name, count in fragments.items() if count)
        if len(kept) < len(fragments):
            options = replace(options, fragments=kept, mined=0)
            again, _ = _stored(path, options, column, None, cache, quiet)
            return split_tenths(_reported(again, duplicates), seed, group)
    return parts


def _reported(store: GraphStore, duplicates: int) -> GraphStore:
    return replace(store, report={**store.report, "duplicates": duplicates})


def read_molecules(
    path: str | Path,
    options: ParseOptions = DEFAULT,
    *,
    column: str = "smiles",
    rows: int | None = None,
    cache: Path | None = None,
    quiet: bool = False,
) -> GraphStore:
    """Read molecules from a file; see `graphs.datasets.molecule_files.read_records` for its forms.

    Rows that cannot be used are skipped and listed in a file, to whose path a warning points;
    another warning counts the molecules that have lost isotopes, stereochemistry and the like.

    Args:
        path: The file.
        options: How molecules become graphs.
        column: Name of the column of SMILES in .csv and .tsv files.
        rows: Read only so many rows, chosen at random with seed 0; None reads all.
        cache: Folder of the graphs; `refine_core.storage.archive.default_cache()` when not given.
        quiet: Whether to show no progress.

    Raises:
        InputError: The file does not exist, is empty, lacks the column, or no row can be used.
    """
    store, listing = _stored(path, options, column, rows, cache, quiet)
    warn_of_losses(Path(path), store, listing)
    return store


def _stored(
    path: str | Path,
    options: ParseOptions,
    column: str,
    rows: int | None,
    cache: Path | None,
    quiet: bool,
) -> tuple[GraphStore, Path]:
    """Molecules of a file, and the list of those that were skipped; arguments as of the above."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} is not a file; give one of molecules, e.g. .smi, .csv or .sdf.")
    settings = {"column": column, "format": FORMAT, "rdkit": version("rdkit"), **asdict(options)}
    settings["kind"] = "".join(path.suffixes).lower()
    if rows is not None:
        settings["rows"] = rows
    key = digest(sha256(path), json.dumps(settings, sort_keys=True))
    stored = (cache or default_cache()) / "graphs" / f"{path.name.split('.')[0]}-{key}.safetensors"
    listing = stored.with_suffix(".skipped.csv")
    store = cached(
        stored, load, lambda new: _read(path, options, column, rows, quiet, new, listing)
    )
    return store, listing


def _read(
    path: Path,
    options: ParseOptions,
    column: str,
    rows: int | None,
    quiet: bool,
    stored: Path,
    listing: Path,
) -> None:
    """Read a file into the cache."""
    records = read_records(path, column)
    if rows is not None:
        records = records.random_sample(rows)
    options = with_mined(records.texts, options, quiet=quiet)
    found = collect_molecules(records.texts, options, quiet=quiet)
    if not len(found.store):
        place, reason = found.skipped[0]
        raise InputError(
            f"none of the {len(records.texts)} rows of {path} can be used, the first "
            f"({first_line(records.texts[place])}) because {reason}; give molecules, one a row."
        )
    list_skipped(records, found.skipped, listing)
    columns = {name: values[found.places] for name, values in records.columns.items()}
    save(replace(found.store, properties=columns), stored)
