"""Files that are either complete or not there.

A reader never sees half a file: the content goes to a temporary neighbour, reaches the disk, and
then takes the name.
"""

import hashlib
import json
import os
import secrets
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from glob import escape
from itertools import count
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from zlib import crc32

from refine_core.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")
DEPTH = 3
"""Folders below one in which `sweep` looks."""


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path that becomes `path` on success and is deleted on any error.

    The parent folder is created. What stood at `path` stays untouched until the new content is
    on the disk.

    Args:
        path: The file to write or to replace.

    Yields:
        A path in the same folder, with the same suffix, at which nothing exists yet.

    Raises:
        OSError: The disk is full, the folder is read-only, `path` is a folder. It names `path`,
            not the temporary file.
    """
    path = Path(path)
    temporary = temporary_name(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _to_disk(temporary)
        os.replace(temporary, path)
    except OSError as error:
        # A full disk is reported by `write`, which knows no name.
        if error.errno is not None and error.filename in (None, temporary, str(temporary)):
            error.filename = str(path)
            del error.filename2
        raise
    finally:
        with suppress(OSError):
            temporary.unlink()
    with suppress(OSError):  # some file systems cannot synchronise a folder
        _to_disk(path.parent)


def temporary_name(path: Path) -> Path:
    """A new hidden name beside a path, which says which process uses it."""
    return path.with_name(f".{_host()}-{os.getpid()}-{secrets.token_hex(2)}.{path.name}")


def sweep(folder: Path, name: str | None = None) -> None:
    """Remove what processes of this machine that were killed left under temporary names.

    Args:
        folder: Where to look.
        name: Of what was to be written there; by default anything, in folders below, too.
    """
    prefix = f".{_host()}-[0-9]*-????."
    patterns = [prefix + escape(name)] if name else ["*/" * i + prefix + "*" for i in range(DEPTH)]
    for path in [path for pattern in patterns for path in folder.glob(pattern)]:
        if not _runs(int(path.name.split("-")[1])):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _host() -> str:
    return f"{crc32(socket.gethostname().encode()):08x}"


def _runs(process: int) -> bool:
    """Whether there is a process of this number, as far as the system says."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        pass
    return True


def replace_folder(new: Path, path: Path) -> None:
    """Give a whole folder its name; one that has the name goes then, and not before.

    A process that is killed in between leaves the former one as `<name>.old`.

    Args:
        new: On the same file system.
        path: The name.

    Raises:
        OSError: It cannot be renamed; what stood there stays.
    """
    for each in (*new.rglob("*"), new):
        with suppress(OSError) if each.is_dir() else nullcontext():
            _to_disk(each)
    names = (path.with_name(f"{path.name}.old{number or ''}") for number in count())
    old = next(name for name in names if not name.exists())
    if stood := path.exists():
        path.rename(old)
    try:
        new.rename(path)
    except OSError:
        if stood:
            old.rename(path)
        raise
    with suppress(OSError):  # some file systems cannot synchronise a folder
        _to_disk(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | Path, value: object) -> None:
    """Write indented JSON atomically; see `finite` for numbers that others cannot read."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def finite(value: object) -> object:
    """A JSON value with None for NaN and infinity, which JSON has not.

    >>> finite({"a": [1.5, float("nan")]})
    {'a': [1.5, None]}
    """
    if isinstance(value, Mapping):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def read_json(path: str | Path, kind: type[T], remedy: str) -> T:
    """Read a file of JSON.

    Args:
        path: The file.
        kind: What it holds: dict or list.
        remedy: What the user can do if it is damaged; completes the sentence of the error.

    Raises:
        InputError: It is not JSON of this kind.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, kind):
        raise InputError(f"{path} is damaged: {remedy}.")
    return found


def cached(path: Path, read: Callable[[Path], T], write: Callable[[Path], None]) -> T:
    """What a file of the cache holds; it is made if it is missing, and again if it is damaged.

    Args:
        path: The file.
        read: Reads it, with any error if it is damaged.
        write: Makes it, atomically.
    """
    if path.is_file():
        with suppress(Exception):  # every kind of file has errors of its own
            return read(path)
    write(path)
    return read(path)


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's content as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(*parts: "str | bytes | NDArray[np.generic]") -> str:
    """Return sixteen hexadecimal digits of the SHA-256 of texts, bytes and arrays joined.

    >>> digest("ab") == digest("a", b"b")
    True
    """
    import numpy as np  # here, for commands that need files only start sooner without

    found = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            found.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
        else:
            found.update(part.encode() if isinstance(part, str) else part)
    return found.hexdigest()[:16]


def _to_disk(path: Path) -> None:
    """Wait until the content of a file or folder has reached the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
