"""One process at a time writes an output.

The lock is one of the operating system's, so it ends with the process that holds it, however that
ends. It is on a hidden file in the output's folder, which is there as long as somebody writes.
"""

import os
import shlex
import sys
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from refine_core.errors import InputError
from refine_core.storage.files import sweep

if TYPE_CHECKING:
    from filelock import FileLock

NAME = ".lock"
"""The file in a folder; of other outputs it stands beside them, with their name in front."""
SHOWN = 200
"""Characters of a command that are told."""


class OutputLock:
    """Keeps other processes from writing an output, from `acquire` to `release` or in a `with`.

    Several of them in one process hold it together. The first removes the temporary files that
    killed processes left.

    Args:
        output: A folder, or a file or store.
        folder: Whether it is a folder in which files are written.
    """

    def __init__(self, output: Path, *, folder: bool) -> None:
        self._output, self._folder = output, folder
        self._made: list[Path] = []
        self._held = False

    @cached_property
    def _lock(self) -> "FileLock":
        from filelock import FileLock  # here, for it takes long to import

        place = self._output.resolve()
        path = place / NAME if self._folder else place.with_name(f".{place.name}{NAME}")
        return FileLock(path, is_singleton=True, thread_local=False)

    def acquire(self) -> None:
        """Keep other processes out, until `release` or the end of this one.

        Raises:
            InputError: Another process writes the output; it says which.
            OSError: The folder cannot be written to.
        """
        from filelock import Timeout

        path = Path(self._lock.lock_file)
        self._make(path.parent)
        holder = _read(path)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise InputError(
                f"Another process is writing {self._output}: wait until {holder} ends, or choose "
                "another place."
            ) from None
        self._held = True
        if self._lock.lock_counter == 1:
            path.write_text(f"process {os.getpid()} (`{_command()}`)", encoding="utf-8")
            sweep(path.parent, None if self._folder else self._output.name)

    def release(self) -> None:
        """Let other processes write, if it is held; folders made that are empty are removed."""
        if not self._held:
            return
        path = Path(self._lock.lock_file)
        if self._lock.lock_counter == 1:
            with suppress(OSError):  # some systems keep a file that is open
                path.unlink()
        self._lock.release()
        self._held = False
        with suppress(OSError):  # not empty
            for folder in self._made:
                folder.rmdir()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def _make(self, folder: Path) -> None:
        """Make a folder, and note which were not there, the innermost first."""
        self._made = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)


def run_lock(folder: Path) -> AbstractContextManager[None]:
    """The lock on the folder of a training; of the processes of `torchrun` the first takes it."""
    return OutputLock(folder, folder=True) if is_first() else nullcontext()


def is_first() -> bool:
    """Whether this is the process of `torchrun` that prints and writes what all have alike."""
    return int(os.environ.get("WORLD_SIZE", 1)) < 2 or os.environ.get("RANK", "0") == "0"


def _read(path: Path) -> str:
    """What the holder of a lock has written into it."""
    with suppress(OSError, UnicodeError):  # there is none, or the system does not show it
        return path.read_text(encoding="utf-8") or "it"
    return "it"


def _command() -> str:
    """The command of this process, on one line."""
    said = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    said = " ".join(said.split())
    return said if len(said) <= SHOWN else f"{said[:SHOWN]} ..."
