"""The domains that are installed: found by their entry points, and run even if others are broken.

A domain registers `name = "package.cli.main:main"` under the entry point group `refine.domains`,
with `main(argv: list[str]) -> None`.
"""

import inspect
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec

from refine_core.app.extras import extra_with
from refine_core.app.progress import say
from refine_core.errors import InputError

OURS, CORE = "refine", "refine_core"
"""The distribution whose domains others cannot replace, and its package that holds no domain."""


@dataclass(frozen=True)
class Domain:
    """A command that an installed package provides.

    Args:
        entry: Where its `main` is.
        unused: Packages that register another domain of the same name.
    """

    entry: EntryPoint
    unused: tuple[str, ...] = ()

    @property
    def provider(self) -> str:
        """The distribution that registers it."""
        return _provider(self.entry)

    def summary(self) -> str:
        """The first line of the package's docstring, or what is wrong with the domain."""
        try:
            module = _module(self.entry)
            doc = inspect.getdoc(import_module(module.partition(".")[0])) or ""
            if find_spec(module) is None:
                raise ModuleNotFoundError(f"No module named {module!r}")
            said = doc.partition("\n")[0]
        except (Exception, SystemExit) as error:
            said = f"BROKEN: {_told(error)}"
        if self.unused:
            said += f" (of {self.provider}; that of {', '.join(self.unused)} is not used)"
        return said

    def __call__(self, argv: list[str]) -> None:
        """Run it.

        Raises:
            InputError: The package cannot be imported, or something that it needs is missing.
        """
        if self.unused:
            others = ", ".join(self.unused)
            say(f"refine: {self.entry.name} is that of {self.provider}; {others} is not used.")
        main = self._load()
        try:
            main(argv)
        except ModuleNotFoundError as error:
            if not self._foreign(error):
                raise
            raise self._missing(error) from None

    def _load(self) -> Callable[[list[str]], None]:
        """Import the function that runs the domain."""
        try:
            _module(self.entry)
            main: Callable[[list[str]], None] = self.entry.load()
        except (Exception, SystemExit) as error:
            if isinstance(error, ModuleNotFoundError) and self._foreign(error):
                raise self._missing(error) from None
            raise InputError(
                f"`refine {self.entry.name}` is broken: {_told(error)}; update or remove "
                f"{self.provider}, which provides it."
            ) from error
        return main

    def _foreign(self, error: ModuleNotFoundError) -> bool:
        """Whether the module missing is part of neither the domain nor the core."""
        missing = (error.name or "").partition(".")[0]
        return missing not in ("", self.entry.module.partition(".")[0], CORE)

    def _missing(self, error: ModuleNotFoundError) -> InputError:
        extra = extra_with(error.name or "", self.entry.name) or self.entry.name
        ours = f"run `pip install '{OURS}[{extra}]'`"
        remedy = ours if self.provider == OURS else f"install it, which {self.provider} needs"
        return InputError(
            f"`refine {self.entry.name}` needs {error.name!r}, which is not installed: {remedy}."
        )


def domains() -> dict[str, Domain]:
    """Every domain by name; of several of one name ours, or that of the first package by name."""
    found: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group="refine.domains"):
        found.setdefault(entry.name, []).append(entry)
    result = {}
    for name, entries in found.items():
        entries.sort(key=lambda entry: (_provider(entry) != OURS, _provider(entry)))
        used, *others = entries
        unused = dict.fromkeys(_provider(each) for each in others if each.value != used.value)
        result[name] = Domain(used, tuple(unused))
    return result


def _provider(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else OURS


def _module(entry: EntryPoint) -> str:
    """The module of an entry point that is well-formed."""
    if re.fullmatch(r"[\w.]+:[\w.]+( *\[.*\])?", entry.value) is None:
        raise InputError(f"its entry point {entry.value!r} is not of the form module:function")
    return entry.module


def _told(error: BaseException) -> str:
    """What was raised and where, on one line."""
    if isinstance(error, InputError):
        return str(error)
    *_, last = traceback.extract_tb(error.__traceback__)
    said = f"{type(error).__name__}: {error}".replace("\n", " ").removesuffix(".")
    return f"{said}, in line {last.lineno} of {last.filename}"
