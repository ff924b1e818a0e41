"""Domains that are broken, that shadow each other, or lack a library."""

import sys
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path

import pytest

from refine_core.app import domains
from refine_core.app.cli import main
from refine_core.storage.files import write_text
from tests.refine_core.app.test_cli import failure


class Provider(Distribution):
    """A distribution of which only the name is known."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        """As `pip` shows it."""
        return self._name

    def read_text(self, filename: str) -> str | None:
        """There is none."""
        return None

    def locate_file(self, path: object) -> Path:
        """There is none."""
        raise FileNotFoundError(str(path))


class Installed:
    """Domains that are installed, and only they.

    Args:
        folder: For their packages.
        monkeypatch: Undoes it.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.entries, self.names = folder, list[EntryPoint](), list[str]()
        monkeypatch.setattr(domains, "entry_points", lambda group: self.entries)
        monkeypatch.syspath_prepend(folder)

    def add(self, package: str, name: str = "", *, start: str = "", **files: str) -> None:
        """A package whose `cli` prints its name and what it is given."""
        write_text(self.folder / package / "__init__.py", f'"""The {package}."""\n{start}')
        usual = f"def main(argv):\n    print({package!r}, *argv)\n"
        write_text(self.folder / package / "cli.py", files.get("cli", usual))
        self.register(name or package, f"{package}.cli:main", f"{package}-dist")

    def register(self, name: str, value: str, provider: str) -> None:
        """An entry point, as an installed distribution registers it."""
        entry = EntryPoint(name, value, "refine.domains")
        vars(entry)["dist"] = Provider(provider)
        self.entries.append(entry)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    """Toys."""
    for name in [n for n in sys.modules if n.partition(".")[0] in ("toys", "bad")]:
        monkeypatch.delitem(sys.modules, name)
    result = Installed(tmp_path, monkeypatch)
    result.add("toys")
    return result


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("raise RuntimeError('no\\nluck')", "RuntimeError: no luck, in line 2 of "),
        ("raise SystemExit(3)", "SystemExit: 3, in line 2 of "),
        ("def f(:", "SyntaxError: "),
    ],
)
def test_a_domain_that_cannot_be_imported_breaks_no_other(
    start: str, said: str, installed: Installed, capsys: pytest.CaptureFixture[str]
) -> None:
    installed.add("bad", start=start)
    main(["toys", "play"])
    assert capsys.readouterr().out == "toys play\n"
    main(["--help"])
    shown = capsys.readouterr().out
    assert "  toys  The toys.\n" in shown and f"  bad   BROKEN: {said}" in shown
    message = failure(["bad", "play"], capsys)
    assert f"`refine bad` is broken: {said}" in message
    assert message.endswith("; update or remove bad-dist, which provides it.\n")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("toys.gone:main", "No module named 'toys.gone'"),
        ("gone:main", "No module named 'gone'"),
        ("toys.cli", "its entry point 'toys.cli' is not of the form module:function"),
        ("toys cli:main", "its entry point 'toys cli:main' is not of the form"),
        ("", "its entry point '' is not of the form"),
    ],
)
def test_a_wrong_entry_point_breaks_no_other(
    value: str, said: str, installed: Installed, capsys: pytest.CaptureFixture[str]
) -> None:
    installed.register("bad", value, "bad-dist")
    main(["toys"])
    main(["--help"])
    assert said in capsys.readouterr().out
    message = failure(["bad"], capsys)
    assert said.removeprefix("No module named ") in message and "bad-dist" in message


def test_an_entry_point_without_a_function(
    installed: Installed, capsys: pytest.CaptureFixture[str]
) -> None:
    installed.add("bad", cli="x = 1\n")
    message = failure(["bad"], capsys)
    assert "`refine bad` is broken: AttributeError: " in message and "'main'" in message


def test_two_domains_of_one_name(installed: Installed, capsys: pytest.CaptureFixture[str]) -> None:
    installed.add("bad", "toys")
    main(["toys", "play"])
    said = capsys.readouterr()
    assert said.out == "bad play\n"  # bad-dist comes before toys-dist
    assert said.err == "refine: toys is that of bad-dist; toys-dist is not used.\n"
    installed.register("toys", "toys.cli:main", "refine")
    main(["toys", "play"])
    assert capsys.readouterr().out == "toys play\n"  # ours cannot be replaced
    main(["--help"])
    assert "The toys. (of refine; that of bad-dist is not used)\n" in capsys.readouterr().out


def test_a_library_that_a_domain_of_others_needs(
    installed: Installed, capsys: pytest.CaptureFixture[str]
) -> None:
    installed.add("bad", cli="def main(argv):\n    import no_such_library\n")
    message = failure(["bad"], capsys)
    assert "needs 'no_such_library', which is not installed: install it" in message
    assert "bad-dist" in message
