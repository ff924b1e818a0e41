"""The bundled sample: states to start from, what followed, and earlier years to compare with."""

import shutil
from pathlib import Path

from refine_core.cli import arguments
from refine_core.errors import InputError
from refine_core.files import atomic_write

FOLDER = Path(__file__).parent / "samples"
STATES = FOLDER / "gcm_2003.nc"
"""Daily states from 2003-11-01 to 2003-12-20."""
HISTORY = FOLDER / "gcm_history.nc"
"""The same season of 2000 to 2002, every second day."""


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
