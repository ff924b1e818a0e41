"""An array file that is written in pieces, and can be continued after a stop."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class ArrayFile:
    """A .npy file of float32 written in pieces; it takes its name when it is complete.

    Args:
        path: Path of the complete file.
        shape: Shape of the whole array.
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
            OSError: The disk is full, for example; names the file.
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
