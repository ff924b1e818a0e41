"""Properties that RDKit computes of molecules, as columns of a data set.

They are computed once and cached, under a digest of the molecules.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from graphs.data.batch import Vocabulary
from graphs.data.store import GraphStore, Ragged
from refine_core.app.progress import Progress
from refine_core.storage.archive import default_cache
from refine_core.storage.files import atomic_write, cached, digest

if TYPE_CHECKING:
    from graphs.datasets.splits import Splits


def computable(store: GraphStore) -> tuple[str, ...]:
    """Names of the properties that can be computed of the graphs of a store; only of molecules."""
    if store.arrays.text is None:
        return ()
    from graphs.chem.properties import PROPERTIES

    return tuple(PROPERTIES)


def with_computed(
    parts: "Splits", names: Sequence[str], *, cache: Path | None = None, quiet: bool = False
) -> "Splits":
    """Splits that have the columns `names`, as far as they can be computed.

    A column that the data set has itself is left as it is.

    Args:
        parts: Splits of one or several stores.
        names: Wanted columns; unknown ones are left for the caller to refuse.
        cache: Folder of the computed columns; by default
            `refine_core.storage.archive.default_cache()`.
        quiet: Whether to show no progress.
    """
    folder = (cache or default_cache()) / "graphs"

    def extended(store: GraphStore) -> GraphStore:
        wanted = [n for n in names if n not in store.properties and n in computable(store)]
        whole = {name: _column(store.arrays, name, folder, quiet) for name in wanted}
        rows = slice(None) if store.rows is None else store.rows
        more = {name: column[rows] for name, column in whole.items()}
        return replace(store, properties={**store.properties, **more})

    stores = {name: part for name, part in vars(parts).items() if part is not None}
    return replace(parts, **{name: extended(part) for name, part in stores.items()})


def _column(arrays: Ragged, name: str, folder: Path, quiet: bool) -> NDArray[np.float32]:
    """(N,) of all graphs, from the cache or computed."""
    text, starts = arrays.text, arrays.text_start
    assert text is not None and starts is not None
    key = digest(text, starts, version("rdkit"))
    path = folder / f"{name}-{key}.npy"

    def write(path: Path) -> None:
        texts = GraphStore(arrays, Vocabulary()).text(torch.arange(len(starts) - 1))
        with atomic_write(path) as temporary:
            np.save(temporary, _computed(texts, name, quiet))

    return np.asarray(cached(path, np.load, write), np.float32)


def _computed(texts: Sequence[str], name: str, quiet: bool) -> NDArray[np.float32]:
    from graphs.chem.properties import property_values
    from graphs.chem.workers import map_chunks

    found: list[NDArray[np.float32]] = []
    with Progress(f"computing {name}", len(texts), quiet=quiet) as progress:
        for first, chunk in map_chunks(texts, partial(property_values, names=(name,))):
            found.append(np.asarray(chunk[name], np.float32))
            progress.update(first + len(chunk[name]))
    return np.concatenate(found)
