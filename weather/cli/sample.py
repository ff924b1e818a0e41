"""The bundled sample: states to start from, what followed, and earlier years to compare with."""

import shutil
from pathlib import Path

from refine_core.app.options import arguments
from refine_core.errors import InputError
from refine_core.storage.files import atomic_write
from weather.samples import FOLDER, HISTORY, STATES


def sample(argv: list[str]) -> None:
    """Copy the bundled sample out: netCDF files of simulated states."""

    def run(out: Path = Path("sample")) -> None:
        """Copy the sample.

        Args:
            out: Folder for the files.
        """
        for path in (STATES, HISTORY, FOLDER / "README.md"):
            if (out / path.name).exists():
                raise InputError(f"{out / path.name} exists: choose another folder with --out.")
        for path in (STATES, HISTORY, FOLDER / "README.md"):
            with atomic_write(out / path.name) as temporary:
                shutil.copyfile(path, temporary)
            print(out / path.name)

    arguments(run, argv, "refine weather sample")
