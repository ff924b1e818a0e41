"""Where a command writes: checked before its work starts, and held against other processes.

>>> def run(out: Annotated[Path, output_file(".png", ".npz")] = Path("samples.png")) -> None: ...
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, get_args

from pydantic import AfterValidator, ValidationInfo

from refine_core.errors import InputError
from refine_core.storage.lock import OutputLock, run_lock

STORES = (".zarr", ".graphml")
"""Suffixes of folders that are written and replaced as one, like a file."""


@dataclass(frozen=True)
class _Output(AfterValidator):
    """Checks what an option names, and marks it as an output."""

    folder: bool = False


def output_file(*suffixes: str) -> AfterValidator:
    """Demand of an option that it names a file, or a store, that can be written.

    Args:
        suffixes: The name has one of them; by default any.
    """

    def check(path: Path | None, about: ValidationInfo) -> Path | None:
        if path is None:
            return None
        option = _option(about)
        if suffixes and path.suffix.lower() not in suffixes:
            raise InputError(
                f"Found {option} {path}, expected a name that ends in {' or '.join(suffixes)}."
            )
        if path.is_dir() and path.suffix.lower() not in STORES:
            raise InputError(f"Found {option} {path}, which is a folder, expected a file.")
        _check_writable(path.parent, f"{option} {path}")
        return path

    return _Output(check)


def _folder(path: Path, about: ValidationInfo) -> Path:
    _check_writable(path, f"{_option(about)} {path}")
    return path


OutputFolder = Annotated[Path, _Output(_folder, folder=True)]
"""A folder that is there and can be written to, or can be made."""


def check_folder(path: Path, option: str = "--out") -> None:
    """Refuse a folder that can be neither written to nor made.

    Raises:
        InputError: It is a file, lies in one, or its files cannot be written.
    """
    _check_writable(path, f"{option} {path}")


@contextmanager
def outputs_held(hints: Mapping[str, object], values: Mapping[str, object]) -> Iterator[None]:
    """Keep other processes from writing the outputs among the options of a command.

    Args:
        hints: Annotations of all options.
        values: The options.

    Raises:
        InputError: Another process is writing one.
    """
    with ExitStack() as held:
        for name, hint in hints.items():
            path = values.get(name)
            for mark in get_args(hint):
                if isinstance(mark, _Output) and isinstance(path, Path):
                    held.enter_context(OutputLock(path, folder=mark.folder))
        yield


@contextmanager
def run_folder(path: Path) -> Iterator[None]:
    """Check the folder of a training, and keep others from writing it; `torchrun` counts as one.

    Raises:
        InputError: It is a file, lies in one, its files cannot be written, or another process
            writes them.
    """
    check_folder(path, "--name")
    with run_lock(path):
        yield


def _check_writable(folder: Path, found: str) -> None:
    """Try to write in the folder, or where it is to be made; leaves nothing there."""
    if "\0" in found:
        raise InputError(f"Found {found!r}, expected a name without the character of number zero.")
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise InputError(f"Found {found}, but {folder} is a file, expected a folder.")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"Found {found}, but {folder} cannot be written to ({error.strerror}): "
            "choose another place."
        ) from None


def _option(about: ValidationInfo) -> str:
    return f"--{(about.field_name or 'out').replace('_', '-')}"
