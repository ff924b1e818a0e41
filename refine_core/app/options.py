"""TODO."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from refine_core.app.cli import arguments
from refine_core.config.schema import T, load
from refine_core.errors import InputError


def parse(
    cls: type[T],
    argv: Sequence[str],
    default_path: str | Path | None = None,
    prog: str = "refine",
) -> T:
    """Read a config from `--config FILE`, and override fields of it as in `--model.width 128`.

    Args:
        cls: A class decorated with `config`.
        argv: What follows the command on the command line.
        default_path: The file to read without `--config`; None stands for the class's defaults.
        prog: The command, as `--help` shows it.

    Raises:
        InputError: The file or an option does not fit.
        SystemExit: With code 0, after `--help`, which shows the values of the file.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--config", default=default_path)
    try:
        known, rest = parser.parse_known_args(argv)
    except argparse.ArgumentError:
        raise InputError("Found --config without a value, expected a YAML file.") from None
    path = known.config
    default = None if path is None else load(cls, path)
    source = "the defaults" if path is None else f"those of {path}"
    note = f"The values shown are {source}; `--config FILE` reads another file."
    return arguments(cls, rest, prog, default=default, note=note)
