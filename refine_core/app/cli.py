"""The `refine` command: finds the domains and turns what goes wrong into one sentence.

A domain registers `name = "package.cli:main"` under the entry point group `refine.domains`, with
`main(argv: list[str]) -> None`. Nothing heavy is imported until a domain is chosen.
"""

import errno
import functools
import inspect
import io
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from refine_core import __version__
from refine_core.app.memory import keep_freed
from refine_core.errors import InputError, suggest

T = TypeVar("T")
Command = Callable[[list[str]], None]


def main(argv: list[str] | None = None) -> None:
    """Run `refine`.

    Args:
        argv: The words after `refine`; None stands for those of the process.

    Raises:
        SystemExit: With code 2 after a mistake, an error of the system such as a full disk, or
            Ctrl-C, with one sentence on stderr and no traceback.
    """
    argv = sys.argv[1:] if argv is None else argv
    keep_freed()
    try:
        if argv[:1] == ["--version"]:
            print(f"refine {__version__}")
        else:
            found = entry_points(group="refine.domains")
            commands("refine", {each.name: _domain(each) for each in found}, argv)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough; Python's own last flush must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (InputError, OSError, KeyboardInterrupt) as error:
        print(f"refine: {_sentence(error)}", file=sys.stderr)
        raise SystemExit(2) from None


def commands(prog: str, table: Mapping[str, Command], argv: Sequence[str]) -> None:
    """Run the command that the first word names, with the words that follow.

    Args:
        prog: What stands before the command, for example `refine images`.
        table: The commands by name; the first line of a docstring is the command's in `--help`.
        argv: The words after `prog`; none, `-h` or `--help` lists the commands.

    Raises:
        InputError: There is no such command.
    """
    name, *rest = argv or ["--help"]
    if name in ("-h", "--help"):
        width = max(map(len, table), default=0)
        lines = [f"  {each:{width}}  {_summary(run)}".rstrip() for each, run in table.items()]
        print(f"usage: {prog} COMMAND ...\n\n" + "\n".join(lines))
        print(f"\n`{prog} COMMAND --help` shows what a command takes.")
    elif name in table:
        table[name](rest)
    else:
        known = ", ".join(table)
        raise InputError(
            f"Found {name!r} after `{prog}`, expected one of {known}.{suggest(name, table)}"
        )


def arguments(
    target: Callable[..., T],
    argv: Sequence[str],
    prog: str,
    *,
    default: T | None = None,
    note: str = "",
) -> T:
    """Call a function, or build a dataclass, with the options of a command line.

    Args:
        target: Its parameters are the options; their annotations say what an option admits, and
            their documentation is what `--help` shows.
        argv: The options.
        prog: The command, as `--help` shows it.
        default: For a dataclass, the values that options override.
        note: A last paragraph for the head of `--help`.

    Raises:
        InputError: An option is unknown or missing, or has a value that does not fit.
        SystemExit: With code 0, after `--help`.
    """
    import tyro  # here, for it takes longer to import than `refine --help` should take

    said = io.StringIO()
    doc = re.split(r"\n\n(?:Args|Returns|Raises):", inspect.getdoc(target) or "")[0]
    build: Any = target if isinstance(target, type) else _deferred(target)
    try:
        with redirect_stderr(said):
            built = tyro.cli(
                build,
                args=argv,
                prog=prog,
                description=f"{doc}\n\n{note}".strip(),
                default=tyro.MISSING_NONPROP if default is None else default,
                use_underscores=True,
                config=(tyro.conf.AvoidSubcommands,),
            )
    except SystemExit as end:
        if not end.code:
            raise
        advice = f"`{prog} --help` lists the options."
        raise InputError(f"{_unboxed(said.getvalue())} {advice}") from None
    result: T = built if isinstance(target, type) else built()
    return result


def _deferred(function: Callable[..., T]) -> Callable[..., Callable[[], T]]:
    """Make a call only bind its arguments, so that what a function prints is not intercepted."""

    @functools.wraps(function)
    def bind(*args: object, **options: object) -> Callable[[], T]:
        return functools.partial(function, *args, **options)

    return bind


def _unboxed(box: str) -> str:
    """Reduce the box that tyro draws around its complaint to a sentence.

    The box has a title, the complaint, a rule, and advice; it is drawn in ASCII on some terminals.
    """
    rows = re.sub(r"\x1b\[[0-9;]*m", "", box).strip().split("\n")[1:]
    parts = re.split(r"[─-]{8,}", " ".join(row.strip(" │") for row in rows))
    complaint, *advice = [part.strip() for part in parts if part.strip()]
    near = [re.match(r"(?:Perhaps|Arguments).*?: (--[^\s,]+)", part) for part in advice]
    meant = ", ".join(found[1] for found in near if found)
    sentence = complaint.removesuffix(".") + "."
    return f"{sentence} Did you mean {meant}?" if meant else sentence


def _domain(entry: EntryPoint) -> Command:
    """Make a command of a domain, imported when it runs; its package's docstring describes it."""
    package = entry.module.partition(".")[0]

    def run(argv: list[str]) -> None:
        try:
            entry.load()(argv)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] in (package, "refine_core"):
                raise
            raise InputError(
                f"`refine {entry.name}` needs {error.name!r}, which is not installed: "
                f"run `pip install 'refine[{entry.name}]'`."
            ) from None

    run.__doc__ = import_module(package).__doc__
    return run


def _summary(command: Command) -> str:
    """Return the first line of a command's docstring."""
    return (inspect.getdoc(command) or "").partition("\n")[0]


def _sentence(error: BaseException) -> str:
    """Say what went wrong and what to do."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; no file is half-written, and a run goes on when it is started again."
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        lost = error.filename or "a file"
        return f"the disk is full, {lost} was not written; free some space and start again."
    return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."


if __name__ == "__main__":  # torchrun starts a module, not a command
    main()
