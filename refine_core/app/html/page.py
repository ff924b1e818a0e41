"""A page: the verdict first, then sections; everything it needs is in one file."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from refine_core.app.html import markup, pictures
from refine_core.app.html.sections import KeyFigure, Section, Slider
from refine_core.storage.files import write_text

LARGEST = 5_000_000
"""Bytes of a page; pictures of a larger one lose details."""
QUALITIES = (None, 80, 50)
"""Qualities of pictures that are tried, see `pictures.data_uri`."""
FOLDER = Path(__file__).parent

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Page:
    """A report.

    Args:
        title: Its heading.
        kind: What made it, such as "refine graphs evaluate".
        verdict: One or two sentences in Markdown.
        figures: The numbers that the verdict rests on.
        sections: The rest.
    """

    title: str
    kind: str
    verdict: str
    figures: Sequence[KeyFigure]
    sections: Sequence[Section]


def write_page(path: str | Path, page: Page) -> None:
    """Write a page to an .html file, which loads nothing from elsewhere.

    Pictures lose details, if they must, for the page to have fewer than `LARGEST` bytes.
    """
    for quality in QUALITIES:
        text = render(page, quality)
        size = len(text.encode())
        if size < LARGEST:
            break
    else:
        log.warning("%s has %.1f MB, as it holds many or large pictures", path, size / 1e6)
    write_text(path, text)


def render(page: Page, quality: int | None = None) -> str:
    """The page as HTML.

    Args:
        page: What it shows.
        quality: That of pictures, see `pictures.data_uri`.
    """
    text = _template().render(
        page=page,
        version=version("refine"),
        style=_resource("page.css"),
        script=_resource("page.js"),
        uri=lambda picture: pictures.data_uri(picture, quality),
        size=pictures.size,
        slider=lambda block: _slider(block, quality),
        names=[_anchor(section.title, i) for i, section in enumerate(page.sections)],
    )
    return f"{text.strip()}\n"


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"markdown": markup.to_html, "line": markup.inline}
    environment.tests["kind"] = lambda block, name: type(block).__name__ == name
    return environment.get_template("page.html.jinja")


def _resource(name: str) -> Markup:
    return Markup((FOLDER / name).read_text(encoding="utf-8"))


def _anchor(title: str, place: int) -> str:
    """A name of a section in links."""
    return f"s{place}-" + re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _slider(block: Slider, quality: int | None) -> dict[str, object]:
    """What the script needs: pictures, each once, and for each choice which of them to show."""
    uris: dict[str, int] = {}

    def place(picture: pictures.Picture | None) -> int | None:
        if picture is None:
            return None
        return uris.setdefault(pictures.data_uri(picture, quality), len(uris))

    values = list(block.choices.values())
    frames = {
        " ".join(str(v.index(k)) for v, k in zip(values, key, strict=True)): [
            place(frame.picture),
            place(frame.legend),
            frame.caption,
        ]
        for key, frame in block.frames.items()
    }
    return {"choices": [list(v) for v in values], "frames": frames, "pictures": list(uris)}
