"""Tutorials: scripts in `docs/tutorials`, what they print and draw, and their pages.

A script is plain Python with cells, as editors and Jupytext know them: `# %%` begins code and
`# %% [markdown]` text in comments. `python -m docs.tools.tutorials [names]` runs the scripts
(`make tutorials`) and keeps what each cell printed and which PNG files it wrote, with a digest
of the code: a page whose code is another one is not built.
"""

import ast
import base64
import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypedDict

FOLDER = Path(__file__).parents[1] / "tutorials"
OUTPUTS = FOLDER / "outputs"
TUTORIALS = ("images", "molecules", "invariance", "forecast", "own_domain")
"""Names of the scripts, in the order of the pages."""

INSTALL = (
    "# In the repository, if it is not installed yet:\n# %pip install '.[images,graphs,weather]'"
)
"""The first cell of a notebook."""


class Cell(NamedTuple):
    """Text or code of a script."""

    is_code: bool
    source: str

    @property
    def digest(self) -> str:
        """Tells whether the code has changed, but for its layout."""
        plain = ast.unparse(ast.parse(self.source))
        return hashlib.sha256(plain.encode()).hexdigest()[:12]


class Output(TypedDict):
    """What a cell of code did: digest of its code, what it printed, the pictures that it wrote."""

    code: str
    text: str
    pictures: list[str]


def cells(name: str) -> list[Cell]:
    """Cells of a script."""
    found = []
    for part in (FOLDER / f"{name}.py").read_text(encoding="utf-8").split("# %%")[1:]:
        kind, _, source = part.partition("\n")
        if kind.strip() == "[markdown]":
            lines = (line.removeprefix("#").removeprefix(" ") for line in source.splitlines())
            found.append(Cell(False, "\n".join(lines).strip()))
        else:
            found.append(Cell(True, source.strip()))
    return found


def outputs(name: str) -> list[Output]:
    """What the code of a script did when it was run last.

    Raises:
        ValueError: The script has other code by now.
    """
    found: list[Output] = json.loads((OUTPUTS / f"{name}.json").read_text(encoding="utf-8"))
    if [each["code"] for each in found] != [cell.digest for cell in cells(name) if cell.is_code]:
        raise ValueError(f"docs/tutorials/{name}.py has changed since it ran: `make tutorials`.")
    return found


def page(name: str) -> str:
    """The page of a tutorial, in Markdown: its text, code and outputs."""
    done, parts = iter(outputs(name)), []
    for cell in cells(name):
        if not cell.is_code:
            parts.append(cell.source)
            continue
        output = next(done)
        parts.append(f"```python\n{cell.source}\n```")
        if output["text"].startswith("| "):
            parts.append(output["text"])
        elif output["text"]:
            parts.append(f"``` {{.text .output}}\n{output['text']}\n```")
        parts += [f"![{file}](outputs/{name}-{file})" for file in output["pictures"]]
    other = f"*[As a notebook]({name}.ipynb); the script is `docs/tutorials/{name}.py`.*"
    return "\n\n".join([*parts, other]) + "\n"


def notebook(name: str) -> str:
    """A tutorial as a Jupyter notebook, in JSON, with its outputs."""
    from nbformat import v4, writes

    done, made = iter(outputs(name)), []
    made.append(v4.new_code_cell(INSTALL, id="install"))
    for place, cell in enumerate(cells(name)):
        if not cell.is_code:
            made.append(v4.new_markdown_cell(_whole(cell.source), id=str(place)))
            continue
        output, shown = next(done), []
        if output["text"]:
            shown.append(v4.new_output("stream", name="stdout", text=output["text"] + "\n"))
        for file in output["pictures"]:
            picture = base64.b64encode((OUTPUTS / f"{name}-{file}").read_bytes()).decode()
            shown.append(v4.new_output("display_data", {"image/png": picture}))
        made.append(v4.new_code_cell(cell.source, id=str(place), outputs=shown))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    whole: str = writes(v4.new_notebook(cells=made, metadata={"kernelspec": kernel}))
    return whole + "\n"


def _whole(text: str) -> str:
    """Text with the files that it shows put in."""

    def shown(found: re.Match[str]) -> str:
        return (FOLDER.parents[1] / found[1]).read_text(encoding="utf-8").strip()

    return re.sub(r'^--8<-- "(.+?)"$', shown, text, flags=re.MULTILINE)


def run(name: str) -> list[Output]:
    """Run a script in the current folder, cell by cell."""
    space: dict[str, object] = {"__name__": "__main__"}
    done = []
    for cell in cells(name):
        if cell.is_code:
            before, printed = set(_pictures()), io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(cell.source, f"{name}.py", "exec"), space)  # noqa: S102
            new = sorted(set(_pictures()) - before)
            done.append(Output(code=cell.digest, text=printed.getvalue().rstrip(), pictures=new))
    return done


def keep(name: str, done: Sequence[Output], folder: Path) -> None:
    """Keep what a script did, with its pictures from `folder`."""
    for old in OUTPUTS.glob(f"{name}-*.png"):
        old.unlink()
    for picture in (file for output in done for file in output["pictures"]):
        shutil.copy(folder / picture, OUTPUTS / f"{name}-{picture}")
    text = json.dumps(done, indent=1, ensure_ascii=False)
    (OUTPUTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _pictures() -> Iterator[str]:
    """PNG files in the current folder."""
    return (path.name for path in Path().glob("*.png"))


def main(names: Sequence[str]) -> None:
    """Run scripts, each in a folder of its own, and keep what they did."""
    for name in names or TUTORIALS:
        start, used = time.monotonic(), time.process_time()
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            keep(name, run(name), Path(folder))
        wall, cpu = time.monotonic() - start, time.process_time() - used
        print(f"{name}: {wall:.0f} s, {cpu:.0f} s of processor time", file=sys.stderr)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main(sys.argv[1:])
