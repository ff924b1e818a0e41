"""The `refine` command: hands over to a domain and turns what goes wrong into one sentence.

Nothing heavy is imported until a domain is chosen.
"""

import errno
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from refine_core import __version__
from refine_core.app.completion import COMPLETE, completion, propose, propose_options
from refine_core.app.domains import Domain, domains
from refine_core.app.options import arguments
from refine_core.app.processes import ranks
from refine_core.app.processes.memory import keep_freed
from refine_core.app.processes.threads import sleep_early
from refine_core.errors import InputError, suggest

C = TypeVar("C")
Commands = Mapping[str, Callable[..., None]]
"""Functions by the name of the command."""


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
    sleep_early()
    try:
        if argv[:1] == ["--version"]:
            print(f"refine {__version__}")
        else:
            _run("refine", _table(), argv, _call)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough; Python's own last flush must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (InputError, OSError, KeyboardInterrupt) as error:
        print(f"refine: {_sentence(error)}", file=sys.stderr)
        raise SystemExit(2) from None


def _table() -> dict[str, Domain | Callable[..., None]]:
    """The domains, and the commands that belong to none."""
    from refine_core.app.doctor import doctor

    return {**domains(), "doctor": doctor, "completion": completion}


def _call(command: Domain | Callable[..., None], rest: list[str], prog: str) -> None:
    if isinstance(command, Domain):
        command(rest)
    elif rest[:1] == [COMPLETE]:
        propose_options(command, rest[1:], "")
    else:
        arguments(command, rest, prog)


def commands(prog: str, table: Commands, argv: Sequence[str]) -> None:
    """Run the command that the first word names, with the options that follow.

    Args:
        prog: What stands before the command, for example `refine images`.
        table: A function for each command, see `refine_core.app.options.arguments`; the first
            line of its docstring is the command's in `--help`.
        argv: The words after `prog`; none, `-h` or `--help` lists the commands.

    Raises:
        InputError: There is no such command, or an option does not fit.

    >>> import refine_core as rc
    >>> def greet(name: str, times: int = 1) -> None:
    ...     '''Say hello.'''
    ...     print("hello " * times + name)
    >>> rc.commands("refine signals", {"greet": greet}, ["greet", "--name", "Ada"])
    hello Ada
    """

    def call(command: Callable[..., None], rest: list[str], prog: str) -> None:
        if rest[:1] == [COMPLETE]:
            propose_options(command, rest[1:], prog.split()[1])
        else:
            ranks.run(command, lambda: arguments(command, rest, prog))

    _run(prog, table, argv, call)


def _run(
    prog: str,
    table: Mapping[str, C],
    argv: Sequence[str],
    call: Callable[[C, list[str], str], None],
) -> None:
    """Call what the first word names with the others, or list what there is."""
    name, *rest = argv or ["--help"]
    if name == COMPLETE:
        _complete(prog, table, rest, call)
    elif name in ("-h", "--help"):
        print(f"usage: {prog} COMMAND ...")
        for is_domain in (True, False):
            _list({n: run for n, run in table.items() if isinstance(run, Domain) == is_domain})
        print(f"\n`{prog} COMMAND --help` shows what a command takes.")
    elif name in table:
        call(table[name], rest, f"{prog} {name}")
    else:
        known = ", ".join(table)
        raise InputError(
            f"Found {name!r} after `{prog}`, expected one of {known}.{suggest(name, table)}"
        )


def _list(table: Mapping[str, object]) -> None:
    """Print a line for each command, after an empty one."""
    width = max(map(len, table), default=0)
    lines = [f"  {name:{width}}  {_summary(run)}".rstrip() for name, run in table.items()]
    if lines:
        print("", *lines, sep="\n")


def _complete(
    prog: str,
    table: Mapping[str, C],
    words: list[str],
    call: Callable[[C, list[str], str], None],
) -> None:
    """Print what may follow words, the last of which is unfinished."""
    name, *rest = words or [""]
    if not rest:
        propose([*table, "--help"], name)
    elif name in table:
        call(table[name], [COMPLETE, *rest], f"{prog} {name}")


def _summary(command: object) -> str:
    """Return the first line of a command's docstring."""
    if isinstance(command, Domain):
        return command.summary()
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
    if error.errno == errno.EROFS and error.filename:
        return (
            f"{error.filename} cannot be written to ({error.strerror}): write elsewhere, or set "
            "REFINE_CACHE where it is the cache."
        )
    return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."


if __name__ == "__main__":  # torchrun starts a module, not a command
    main()
