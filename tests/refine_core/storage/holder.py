"""Another process that is writing an output."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOLD = """
import sys
from pathlib import Path
from refine_core.storage.files import atomic_write
from refine_core.storage.lock import OutputLock
name, folder = sys.argv[1:]
with OutputLock(Path(name), folder=folder == "folder"):
    with atomic_write(Path(name) / "a" / "x" if folder == "folder" else Path(name)) as temporary:
        temporary.write_text("half")
        print("held", flush=True)
        sys.stdin.read()
"""


@contextmanager
def holder(output: Path, kind: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that is writing an output."""
    command = [sys.executable, "-c", HOLD, str(output), kind]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True, cwd=root) as other:
        assert other.stdout is not None
        try:
            assert other.stdout.readline() == "held\n"
            yield other
        finally:
            other.kill()
