"""Hooks of mkdocs: pages and pictures that are not in `docs/` but made or kept elsewhere.

CHANGELOG, CONTRIBUTING and all of `results/` appear as they are, at the same relative
paths, so that their links hold. Files elsewhere in the repository that they link to come along.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.tools.figures import FIGURES
from docs.tools.tutorials import TUTORIALS, notebook, page

ROOT = Path(__file__).parents[2]
PAGES = {
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
}
"""Pages by their place in the site, and the files that they show."""
SHOWN = {".md", ".png", ".json", ".csv", ".smi"}
"""Endings of files of results that the site holds."""
LINK = re.compile(r"\]\((?!https?:|#)([^)\s#]+)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill in the navigation of tutorials and results, and the fence for equations."""
    assert config.nav is not None
    for entry in config.nav:
        if entry == {"Tutorials": "tutorials"}:
            entry["Tutorials"] = [f"tutorials/{name}.md" for name in TUTORIALS]
        if entry == {"Results": "results"}:
            entry["Results"] = ["results/index.md", *_result_pages()]
    fence = {"name": "math", "class": "math", "format": equation}
    config.mdx_configs["pymdownx.superfences"] = {"custom_fences": [fence]}
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is made, or kept elsewhere."""
    kept = PAGES | {path: path for path in _results()}
    linked = {name: name for source in PAGES.values() for name in _links(source)}
    for place, source in (linked | kept).items():
        if files.get_file_from_path(place) is None:
            files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    for name, draw in FIGURES.items():
        files.append(File.generated(config, f"figures/{name}.svg", content=draw()))
    for name in TUTORIALS:
        files.append(File.generated(config, f"tutorials/{name}.md", content=page(name)))
        files.append(File.generated(config, f"tutorials/{name}.ipynb", content=notebook(name)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Let links that hold in the repository lead to pages of the site.

    There, what is in `docs/` and what is beside it have the same root.
    """
    up = "../" * page.file.src_uri.count("/")
    return markdown.replace("](docs/", "](").replace(f"](../{up}results/", f"]({up}results/")


def equation(source: str, *_: Any, **__: Any) -> str:
    """An equation in LaTeX as MathML, which browsers show without a script."""
    return convert(source.strip(), display="block")


def _results() -> Iterator[str]:
    """Paths of the files of results, as written by git: without what runs leave behind."""
    for path in sorted((ROOT / "results").rglob("*")):
        if path.suffix in SHOWN and "runs" not in path.parts:
            yield path.relative_to(ROOT).as_posix()


def _result_pages() -> list[dict[str, list[dict[str, str]]]]:
    """Navigation of the results: pages by domain, called by folder and file."""
    pages: dict[str, list[dict[str, str]]] = {}
    for path in _results():
        _, domain, *folders = path.removesuffix(".md").lower().split("/")
        if path.endswith(".md"):
            pages.setdefault(domain.capitalize(), []).append({" ".join(folders): path})
    return [{domain: found} for domain, found in pages.items()]


def _links(source: str) -> Iterator[str]:
    """Files of the repository that a page at its root links to."""
    for name in LINK.findall((ROOT / source).read_text(encoding="utf-8")):
        if (ROOT / name).is_file() and not name.endswith(".md"):
            yield name
