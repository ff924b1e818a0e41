"""Copying a source into array files from front to back, to be continued if it is stopped."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from refine_core.errors import InputError
from weather.fields.channel import Channel
from weather.io.dataset import fields, times_of
from weather.io.files import read_errors


class ArrayFile:
    """A .npy file of float32 written in pieces; it takes its name when it is complete.

    Args:
        path: Of the complete file.
        shape: Of the whole array.
    """

    def __init__(self, path: Path, shape: Sequence[int]) -> None:
        self.path, self._part = path, path.with_name(path.name + ".part")
        if path.exists() or self._part.exists():
            return
        with open(self._part, "wb") as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": tuple(shape)}
            np.lib.format.write_array_header_1_0(file, header)

    def write(self, row: int, values: NDArray[np.float32]) -> None:
        """Put `values` (n, ...) at `row`; they are on the disk afterwards.

        Raises:
            OSError: Such as a full disk; names the file.
        """
        try:
            with open(self._part, "r+b") as file:
                np.lib.format.read_magic(file)
                np.lib.format.read_array_header_1_0(file)
                content = np.asarray(values, "<f4").tobytes()
                file.seek(file.tell() + row * (len(content) // len(values)))
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            error.filename = error.filename or str(self.path)
            raise

    def finish(self) -> None:
        """Give the complete file its name."""
        if self._part.exists():
            os.replace(self._part, self.path)


def blocks(
    source: xr.Dataset, wanted: Sequence[Channel], index: NDArray[np.int64], size: int
) -> Iterator[NDArray[np.int64]]:
    """Divide times into what is read at once: whole chunks of the source, of about `size` bytes.

    Args:
        source: Canonical.
        wanted: Maps to be read.
        index: Which times of the source, ascending.
        size: Bytes.
    """
    maps = fields(source.isel(time=slice(1)), wanted)
    stored = max(
        (
            max(a.chunksizes["time"])
            for c in wanted
            if "time" in (a := source[c.variable]).dims and a.chunks
        ),
        default=1,
    )
    count = stored * max(1, size // max(1, maps.nbytes * stored))
    group = index // count
    yield from np.split(index, np.flatnonzero(np.diff(group)) + 1)


def read(
    source: xr.Dataset, wanted: Sequence[Channel], index: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Maps (n, C, H, W) at some times of a source.

    Raises:
        InputError: They cannot be read; names variable and time.
    """
    try:
        return np.asarray(fields(source.isel(time=index), wanted).values, np.float32)
    except (InputError, MemoryError):
        raise
    except Exception:  # every reader and codec has its own; now find which map it is
        for channel in wanted:
            _find_unreadable(source, channel, index)
        raise


def _find_unreadable(source: xr.Dataset, channel: Channel, index: NDArray[np.int64]) -> None:
    """Raise InputError that names the first time of a channel that cannot be read, if any."""
    while True:
        half = index[: (len(index) + 1) // 2]
        for part in (half, index[len(half) :]) if len(index) > 1 else (index,):
            try:
                fields(source.isel(time=part), [channel]).load()
            except Exception:
                break
        else:
            return
        if len(index) == 1:
            break
        index = part
    time = times_of(source)[index[0]].astype("datetime64[m]")
    with read_errors(f"{source.encoding.get('source', 'the source')}: {channel.name} at {time}"):
        fields(source.isel(time=index), [channel]).load()
