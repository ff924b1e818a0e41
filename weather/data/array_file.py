"""An array file that is written in pieces, and can be continued after a stop."""

import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class ArrayFile:
    """A .npy file of float32 written in pieces; it takes its name when it is complete.

    Several processes, on machines that share it, may write pieces that do not overlap.

    Args:
        path: Path of the complete file.
        shape: Shape of the whole array.
    """

    def __init__(self, path: Path, shape: Sequence[int]) -> None:
        self.path, self.part = path, path.with_name(path.name + ".part")
        content = io.BytesIO()
        header = {"descr": "<f4", "fortran_order": False, "shape": tuple(shape)}
        np.lib.format.write_array_header_1_0(content, header)
        self._start = content.tell()
        if not (path.exists() or self.part.exists()):
            self.part.write_bytes(content.getvalue())

    def write(self, row: int, values: NDArray[np.float32]) -> None:
        """Put `values` (n, ...) at `row`; they are on the disk afterwards.

        Raises:
            OSError: The disk is full, for example; names the file.
        """
        content = np.asarray(values, "<f4").tobytes()
        # Without O_DSYNC clients of NFS may write whole pages, and with them a neighbour's piece.
        flags = os.O_WRONLY | getattr(os, "O_DSYNC", 0)
        try:
            with open(os.open(self.part, flags), "wb") as file:
                file.seek(self._start + row * (len(content) // len(values)))
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            error.filename = error.filename or str(self.path)
            raise

    def finish(self) -> None:
        """Give the complete file its name."""
        if self.part.exists():
            os.replace(self.part, self.path)
