"""The site: every public name has its place, every tutorial its outputs, every link its end."""

import doctest
import importlib
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from docs.tools import figures, tutorials
from refine_core.app.cli import main

ROOT = Path(__file__).parents[2]
PACKAGES = ("refine_core", "graphs", "graphs.invariance", "weather", "images")
PARTS = ("refine_core.heads", "refine_core.methods")
"""Packages for those who build domains, whose names need no examples."""
FETCHED = {"images.mnist"}
"""Names whose examples need a network."""
LINK = re.compile(r"\]\((?!https?:|#)([^)\s#]+)")


@pytest.mark.parametrize("package", PACKAGES + PARTS)
def test_every_public_name_is_documented(package: str) -> None:
    module = importlib.import_module(package)
    page = (ROOT / "docs" / "api" / f"{package}.md").read_text()
    shown = re.findall(rf"^::: {re.escape(package)}\.(\w+)$", page, re.MULTILINE)
    assert sorted(shown) == sorted(module.__all__)
    for name in module.__all__:
        text = getattr(module, name).__doc__ or ""
        made_by_dataclass = text.startswith(f"{name}(")
        assert text and not made_by_dataclass, f"{package}.{name} has no docstring"


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_has_an_example_that_runs(package: str) -> None:
    module = importlib.import_module(package)
    lacking = set()
    for name in module.__all__:
        examples = doctest.DocTestParser().get_examples(getattr(module, name).__doc__)
        if all(each.options.get(doctest.SKIP) for each in examples):
            lacking.add(f"{package}.{name}")
    assert lacking <= FETCHED


@pytest.mark.parametrize("domain", ["graphs", "images", "weather"])
def test_help_shows_no_examples(domain: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([domain, "train", "--help"])
    said = capsys.readouterr().out
    assert "--name" in said and ">>>" not in said and "Raises" not in said


@pytest.mark.parametrize("name", tutorials.TUTORIALS)
def test_pages_of_tutorials_show_what_their_code_did(name: str) -> None:
    page = tutorials.page(name)  # raises if the code has changed since
    pictures = re.findall(r"!\[.*?\]\((outputs/.*?)\)", page)
    assert all((tutorials.FOLDER / path).is_file() for path in pictures)
    kept = {f"outputs/{path.name}" for path in tutorials.OUTPUTS.glob(f"{name}-*.png")}
    assert kept == set(pictures)


@pytest.mark.skipif(find_spec("nbformat") is None, reason="the extra docs is not installed")
@pytest.mark.parametrize("name", tutorials.TUTORIALS)
def test_notebooks_of_tutorials_are_valid_and_show_what_their_code_did(name: str) -> None:
    import nbformat

    book = nbformat.reads(tutorials.notebook(name), as_version=4)
    nbformat.validate(book)
    install, *code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert "pip install" in install.source
    assert not [cell for cell in book.cells if "--8<--" in cell.source]
    assert [cell.source for cell in code] == [c.source for c in tutorials.cells(name) if c.is_code]
    shown = [output for cell in code for output in cell.outputs]
    pictures = [output for output in shown if output.output_type == "display_data"]
    assert len(pictures) == len([*tutorials.OUTPUTS.glob(f"{name}-*.png")]) < len(shown)


def test_a_tutorial_that_changed_has_no_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tutorials, "FOLDER", tmp_path)
    monkeypatch.setattr(tutorials, "OUTPUTS", tmp_path)
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "one.py"
    script.write_text("# %% [markdown]\n# # One\n# %%\nprint(1 + 1)\n")
    tutorials.keep("one", tutorials.run("one"), tmp_path)
    assert "# One" in tutorials.page("one") and "\n2\n" in tutorials.page("one")
    script.write_text("# %% [markdown]\n# # Another text\n# %%\nprint(1+1)  # other layout\n")
    assert "Another text" in tutorials.page("one")
    script.write_text("# %%\nprint(1 + 2)\n")
    with pytest.raises(ValueError, match="make tutorials"):
        tutorials.page("one")


@pytest.mark.parametrize("name", tutorials.TUTORIALS)
def test_tutorials_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = tutorials.outputs(name)
    now = tutorials.run(name)
    assert [each["pictures"] for each in now] == [each["pictures"] for each in before]
    lines = [[len(each["text"].splitlines()) for each in some] for some in (now, before)]
    assert lines[0] == lines[1]


def test_figures_are_small_drawings() -> None:
    for name, draw in figures.FIGURES.items():
        assert draw().startswith("<svg") and len(draw()) < 10_000, name


@pytest.mark.parametrize("name", ["concepts/heads", "guide/methods"])
def test_the_code_of_pages_runs(name: str) -> None:
    """But for the method of one's own, whose name would stay registered."""
    page = (ROOT / "docs" / f"{name}.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    for block in (each for each in blocks if "@method" not in each):
        exec(block, names)
    assert "law" in names or names["images"].shape == names["coarse_to_fine"][-1].shape


PAGES = [
    ROOT / "README.md",
    *(page for name in ("docs", "results") for page in sorted((ROOT / name).rglob("*.md"))),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_hold_in_the_repository_too(page: Path) -> None:
    """But for what the site draws or makes of scripts."""
    if "runs" not in page.parts:
        made = re.compile(r"figures/\w+\.svg$|tutorials/\w+\.md$|CHANGELOG\.md$")
        links = [to for to in LINK.findall(page.read_text()) if not made.search(to)]
        assert not [to for to in links if not (page.parent / to).exists()]


@pytest.mark.skipif(find_spec("mkdocs") is None, reason="the extra docs is not installed")
def test_what_runs_leave_in_results_is_not_on_the_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from docs.tools import hooks

    monkeypatch.setattr(hooks, "ROOT", tmp_path)
    for name in ("REPORT.md", "runs/results/a.json", "runs/generators/b/metrics.csv"):
        path = tmp_path / "results" / "images" / "methods" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    assert list(hooks._results()) == ["results/images/methods/REPORT.md"]


@pytest.mark.skipif(find_spec("mkdocs") is None, reason="the extra docs is not installed")
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(tmp_path / "site")]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    fetched = re.compile(
        r"<(?:script|img|iframe)[^>]*src=\"?https?:|<link[^>]*stylesheet[^>]*https?:"
    )
    pages = [*(tmp_path / "site").rglob("*.html")]
    assert len(pages) > 40
    assert not [page for page in pages if fetched.search(page.read_text())]
