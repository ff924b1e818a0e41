"""Each extra alone suffices for its domain, and one that is missing is one sentence.

A process sees only what an installation of `refine[extra]` would bring.
"""

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

RUN = """
import sys
from importlib.machinery import PathFinder
from refine_core.app.cli import main

hidden = set({hidden})

class Filtered(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            return None
        return super().find_spec(name, path, target)

sys.meta_path = [Filtered if finder is PathFinder else finder for finder in sys.meta_path]
for name in [name for name in sys.modules if name.partition(".")[0] in hidden]:
    del sys.modules[name]
main(sys.argv[1:])
"""


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_by(package: str, extras: tuple[str, ...]) -> set[str]:
    """Packages that come with one, by what each of them requires in turn."""
    found, pending = set[str](), [(package, extras)]
    seen: set[tuple[str, tuple[str, ...]]] = set()
    while pending:
        name, wanted = pending.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        found.add(name)
        try:
            listed = [Requirement(text) for text in requires(name) or []]
        except PackageNotFoundError:  # for another system
            continue
        for each in listed:
            cases = [{"extra": extra} for extra in (*wanted, "")]
            if each.marker is None or any(map(each.marker.evaluate, cases)):
                pending.append((normalised(each.name), tuple(sorted(each.extras))))
    return found


def refine(folder: Path, extra: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `refine` where only that extra, or none, is installed."""
    there = installed_by("refine", (extra,) if extra else ())
    hidden = {
        module
        for module, packages in packages_distributions().items()
        if not there & set(map(normalised, packages))
    }
    assert extra or {"rdkit", "xarray", "matplotlib"} <= hidden
    code = RUN.format(hidden=sorted(hidden))
    python = [sys.executable, "-c", code, *words]
    return subprocess.run(python, cwd=folder, capture_output=True, text=True)


COMMANDS = {
    "graphs": "sample --count 3 --out made.csv",
    "images": "sample --count 4 --out made.png",
    "weather": "forecast --members 1 --lead-days 1 --out made.nc",
}


@pytest.mark.parametrize("domain", COMMANDS)
def test_an_extra_alone_suffices_for_its_domain(domain: str, tmp_path: Path) -> None:
    ran = refine(tmp_path, domain, domain, *COMMANDS[domain].split())
    assert ran.returncode == 0, ran.stderr
    assert len([*tmp_path.glob("made.*")]) == 1


@pytest.mark.parametrize("domain", COMMANDS)
def test_a_missing_extra_is_one_sentence(domain: str, tmp_path: Path) -> None:
    ran = refine(tmp_path, "", domain, *COMMANDS[domain].split())
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert ran.stderr.count("\n") == 1 and f"pip install 'refine[{domain}]'" in ran.stderr
    assert not [*tmp_path.iterdir()]


def test_without_extras_refine_says_what_is_missing(tmp_path: Path) -> None:
    ran = refine(tmp_path, "", "--help")
    assert ran.returncode == 0 and "BROKEN" not in ran.stdout
    assert all(f"  {domain} " in ran.stdout for domain in COMMANDS)
