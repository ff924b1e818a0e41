"""Completion of `refine` in shells: a script for each, which asks `refine --complete WORD ...`.

What may follow is read from the commands themselves, so a script never grows old, and domains of
other packages are completed too.
"""

import dataclasses
import inspect
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, Union, get_args, get_origin, get_type_hints

from refine_core.config.shipped import shipped_configs

COMPLETE = "--complete"
"""Asks for what may follow the words after it, the last of which is unfinished."""
Shell = Literal["bash", "zsh", "fish"]
SCRIPTS: Mapping[str, str] = {
    "bash": """_refine() {
    local cur=${COMP_WORDS[COMP_CWORD]} IFS=$'\\n'
    COMPREPLY=($(refine --complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _refine refine
""",
    "zsh": """#compdef refine
_refine() {
    local -a found
    found=(${(f)"$(refine --complete "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    if (( $#found )); then compadd -- $found; else _files; fi
}
compdef _refine refine
""",
    "fish": """function __refine
    set -l words (commandline -opc) (commandline -ct)
    refine --complete $words[2..-1] 2>/dev/null
end
complete -c refine -a '(__refine)'
""",
}
"""Where nothing is proposed, each falls back on names of files."""


def completion(shell: Shell, /) -> None:
    """Print a script that completes commands, options and their values: bash, zsh or fish.

    For bash, put `eval "$(refine completion bash)"` into ~/.bashrc; for zsh the same with zsh into
    ~/.zshrc, after compinit; for fish run `refine completion fish >
    ~/.config/fish/completions/refine.fish`.

    Args:
        shell: The shell.
    """
    print(SCRIPTS[shell], end="")


def propose(candidates: Iterable[str], unfinished: str) -> None:
    """Print those that begin so, one a line."""
    for each in candidates:
        if each.startswith(unfinished):
            print(each)


def propose_options(command: Callable[..., object], words: Sequence[str], domain: str) -> None:
    """Print what may stand in place of the last word after a command.

    Args:
        command: A function whose parameters are the options.
        words: Those after its name.
        domain: Whose configs are known by their names alone.
    """
    options, operands = _options(command)
    *before, unfinished = words or [""]
    last = next((word for word in reversed(before) if word.startswith("--")), "")
    option = last.replace("_", "-")
    if unfinished.startswith("-"):
        propose(options, unfinished.replace("_", "-"))
    elif option == "--config":
        propose((name for name in shipped_configs(domain) if "/" not in name), unfinished)
    else:
        propose(options.get(option, []) if last else operands, unfinished)


Values = dict[str, list[str]]
"""Values that may follow each option, where they are few."""


def _options(command: Callable[..., object]) -> tuple[Values, list[str]]:
    """Options of a command, among them the fields of a config, and what stands without option."""
    found: Values = {"--help": []}
    operands: list[str] = []
    parameters = inspect.signature(command).parameters
    for name, hint in get_type_hints(command).items():
        if name == "return":
            continue
        if parameters[name].kind is inspect.Parameter.POSITIONAL_ONLY:
            operands += _values(hint)
        elif dataclasses.is_dataclass(hint):
            found["--config"] = []
            _add_fields(found, hint, "--")
        else:
            _add(found, "--", name, hint)
    return found, operands


def _add_fields(found: Values, section: object, prefix: str) -> None:
    """Add the options of a section of a config, and of the sections in it."""
    for name, hint in get_type_hints(section).items():
        _add(found, prefix, name, hint)


def _add(found: Values, prefix: str, name: str, hint: object) -> None:
    """Add an option, and for one that is true or false its opposite, as in `--a.no-b`."""
    name = name.replace("_", "-")
    sections = [each for each in _alternatives(hint) if dataclasses.is_dataclass(each)]
    for section in sections:
        _add_fields(found, section, f"{prefix}{name}.")
    if not sections:
        found.setdefault(prefix + name, []).extend(_values(hint))
    if hint is bool:
        found[f"{prefix}no-{name}"] = []


def _alternatives(hint: object) -> list[type]:
    """Types that an annotation admits."""
    if get_origin(hint) in (Union, types.UnionType):
        return [each for part in get_args(hint) for each in _alternatives(part)]
    return [hint] if isinstance(hint, type) else []


def _values(hint: object) -> list[str]:
    """Values of an annotation that admits but a few."""
    if get_origin(hint) is Literal:
        return [str(value) for value in get_args(hint)]
    return [value for part in get_args(hint) for value in _values(part)]
