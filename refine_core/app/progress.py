"""What is said about work as it goes on: a line, or a bar with the time left on a terminal."""

import sys
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from refine_core.storage.lock import is_first

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

Say = Callable[[str], None]
"""Receives a line about the work."""


def silent(line: str) -> None:
    """Say nothing."""


def say(line: str) -> None:
    """Print a line about the work to stderr, above a bar if there is one.

    Of the processes of `torchrun` the first does.

    Args:
        line: The text, to which a line break is added.

    >>> import sys
    >>> from contextlib import redirect_stderr
    >>> import refine_core as rc
    >>> with redirect_stderr(sys.stdout):
    ...     rc.say("12 of 20 files are read")
    12 of 20 files are read
    """
    if is_first():
        print(line, file=sys.stderr, flush=True)


class Progress:
    """Context manager that shows how far long work has come.

    Args:
        title: Name of the work.
        total: Steps to do.
        quiet: Whether to show nothing, as of the processes of `torchrun` all but the first do.
    """

    def __init__(self, title: str, total: int, *, quiet: bool = False) -> None:
        from rich import progress  # here, for `refine --help` does without
        from rich.console import Console

        quiet = quiet or not is_first()
        self._console = Console(stderr=True, quiet=quiet)
        self._bar: Bar = progress.Progress(
            progress.TextColumn("[bold]{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[note]}"),
            progress.TimeElapsedColumn(),
            progress.TextColumn("left"),
            progress.TimeRemainingColumn(),
            console=self._console,
            disable=quiet or not self._console.is_terminal,
        )
        self._task = self._bar.add_task(title, total=total, note="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def update(self, done: float, loss: float | None = None) -> None:
        """Show that `done` steps are done, and the latest loss."""
        note = "" if loss is None else f"loss {loss:.4g}"
        self._bar.update(self._task, completed=done, note=note)

    def row(self, row: Mapping[str, float]) -> None:
        """Print one line of metrics above the bar, whole, so that it can be read by a program."""
        line = "  ".join(f"{name} {value:.5g}" for name, value in row.items())
        self._console.print(line, highlight=False, soft_wrap=True)
