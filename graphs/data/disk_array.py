"""Arrays and lists of strings too large for memory, kept in temporary files."""

import json
import tempfile
import weakref
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]
PIECE = 10**6  # items of an array that are written at a time
DTYPES = {"bool": "BOOL", "uint8": "U8", "uint16": "U16", "uint32": "U32", "int8": "I8"}
DTYPES |= {"int32": "I32", "int64": "I64", "float32": "F32", "float64": "F64"}


class DiskArray:
    """A flat array on disk that grows at its end.

    Its file has no name, and is deleted with the object.

    Args:
        dtype: Type of its items.
    """

    def __init__(self, dtype: DTypeLike) -> None:
        self.dtype = np.dtype(dtype)
        self._file: IO[bytes] = tempfile.TemporaryFile()
        weakref.finalize(self, self._file.close)  # maps of it stay
        self._count = 0

    def __len__(self) -> int:
        """Items so far."""
        return self._count

    def extend(self, values: Array | Sequence[int]) -> None:
        """Append values that the type holds."""
        array = np.asarray(values).astype(self.dtype).ravel()
        self._file.write(array.tobytes())
        self._count += len(array)

    def array(self) -> Array:
        """All items, mapped into memory; the array may grow on."""
        self._file.flush()
        if not self._count:
            return np.zeros(0, self.dtype)
        return np.memmap(self._file, self.dtype, "r+", shape=(self._count,))


class DiskStrings(Sequence[str]):
    """Strings on disk.

    >>> texts = DiskStrings(["CC", "", "Cé"])
    >>> len(texts), texts[2], texts[:2]
    (3, 'Cé', ['CC', ''])
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._bytes, self._ends = DiskArray(np.uint8), DiskArray(np.int64)
        self._waiting: list[bytes] = []
        self._mapped: tuple[Array, Array] | None = None
        self._length = 0
        for text in texts:
            self.append(text)

    def append(self, text: str) -> None:
        """Add a string."""
        self._waiting.append(text.encode())
        if len(self._waiting) == 4096:
            self._write()

    def _write(self) -> None:
        if not self._waiting:
            return
        ends = self._length + np.cumsum([len(text) for text in self._waiting], dtype=np.int64)
        self._bytes.extend(np.frombuffer(b"".join(self._waiting), np.uint8))
        self._ends.extend(ends)
        self._length = int(ends[-1])
        self._waiting.clear()
        self._mapped = None

    def flat(self) -> tuple[Array, Array]:
        """Where each string begins (n + 1,) int64, and the bytes of all, as UTF-8."""
        self._write()
        return np.concatenate([[0], self._ends.array()]).astype(np.int64), self._bytes.array()

    def __len__(self) -> int:
        return len(self._ends) + len(self._waiting)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        self._write()
        if self._mapped is None:
            self._mapped = self._ends.array(), self._bytes.array()
        ends, data = self._mapped
        places = range(len(self))[index]
        found = [
            data[ends[i - 1] if i else 0 : ends[i]].tobytes().decode()
            for i in (places if isinstance(places, range) else (places,))
        ]
        return found if isinstance(index, slice) else found[0]


def write_safetensors(
    path: Path, arrays: Mapping[str, Array], metadata: Mapping[str, str]
) -> None:
    """Write safetensors piece by piece; the library's own function copies everything first."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    place = 0
    for name, array in arrays.items():
        offsets = [place, place := place + array.nbytes]
        header[name] = {
            "dtype": DTYPES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": offsets,
        }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in arrays.values():
            for start in range(0, len(array), PIECE):
                file.write(np.ascontiguousarray(array[start : start + PIECE]).tobytes())
