"""The extras of Refine, as in `pip install 'refine[graphs]'`: what each needs, what is missing.

They are read from the metadata of the installed package, so that `pyproject.toml` alone says what
they are.
"""

import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, requires, version

DISTRIBUTION = "refine"
DISTRIBUTIONS = {"pil": "pillow", "jax": "jcm"}
"""Packages whose name is not that of the module which they bring, or bring with them."""


def extras(requirements: list[str] | None = None) -> dict[str, list[str]]:
    """Packages that each extra needs beside those that Refine always needs.

    Args:
        requirements: As in the metadata of a package; by default those of the installed one.

    >>> extras(["torch>=2", "netCDF4>=1.7; extra == 'weather'"])
    {'weather': ['netcdf4']}
    """
    found: dict[str, list[str]] = {}
    for text in requires(DISTRIBUTION) or [] if requirements is None else requirements:
        if matched := re.match(r"([\w.-]+).*;.*extra == ['\"]([\w.-]+)['\"]", text):
            found.setdefault(matched[2], []).append(_normalised(matched[1]))
    return found


def required() -> list[str]:
    """Packages that Refine always needs."""
    always = [text for text in requires(DISTRIBUTION) or [] if "extra ==" not in text]
    return [_normalised(re.split(r"[^\w.-]", text)[0]) for text in always]


def installed(package: str) -> str | None:
    """Version of a package; None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def extra_with(
    module: str, domain: str, known: Mapping[str, list[str]] | None = None
) -> str | None:
    """The extra that brings a module: that of the domain, else the smallest that is more.

    Args:
        module: Name of a module that cannot be imported.
        domain: The domain that wants it.
        known: As `extras` returns them; by default its own.

    >>> known = {"graphs": ["rdkit"], "judges": ["rdkit", "chembl-gen-check"], "all": ["rdkit"]}
    >>> extra_with("chembl_gen_check", "graphs", known), extra_with("rdkit.Chem", "graphs", known)
    ('judges', 'graphs')
    """
    known = extras() if known is None else known
    top = module.partition(".")[0]
    package = DISTRIBUTIONS.get(top.lower(), _normalised(top))
    having = [extra for extra, packages in known.items() if package in packages]
    if domain in having:
        return domain
    own = set(known.get(domain, []))
    more = [extra for extra in having if own <= set(known[extra])] or having
    return min(more, key=lambda extra: len(known[extra]), default=None)


def _normalised(name: str) -> str:
    """A package's name as the package index compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()
