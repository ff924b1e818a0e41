"""Pages: complete, well formed, safe from what names hold, and of limited size."""

import io
import json
import logging
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from refine_core.app.html import (
    Card,
    Figure,
    Frame,
    Gallery,
    KeyFigure,
    Page,
    Section,
    Slider,
    Text,
    page,
    sections_of,
    write_page,
)
from refine_core.app.html.pictures import data_uri
from tests.refine_core.app.html.example import SVG, TABLE, example, png

VOID = {"meta", "link", "img", "input", "br", "hr"}


class Elements(HTMLParser):
    """All elements of a page, which must be closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture
def elements() -> Elements:
    return Elements(page.render(example()))


def test_a_page_refers_to_nothing_outside(elements: Elements) -> None:
    for _, attributes in elements.found:
        for name in ("src", "href", "srcset", "action", "data"):
            value = attributes.get(name, "#")
            assert value.startswith(("#", "data:")), value
    policies = [m["content"] for m in elements.all("meta") if m.get("http-equiv")]
    assert policies[0].startswith("default-src 'none'; img-src data:")
    assert "http" not in "".join(text for text in elements.text)


def test_a_page_can_be_read_without_seeing_it(elements: Elements) -> None:
    assert elements.all("html") == [{"lang": "en"}]
    for landmark in ("header", "main", "nav", "footer"):
        assert len(elements.all(landmark)) == 1
    assert all(image.get("alt") for image in elements.all("img"))
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    for section in elements.all("section"):
        assert section["aria-labelledby"] in ids
    for link in elements.all("a"):
        assert link["href"].removeprefix("#") in ids
    assert all("aria-label" in each for each in elements.all("input"))
    assert [tag for tag, _ in elements.found if tag in ("h1", "h2", "h3")] == [
        *("h1", "h2"),
        *("h2", "h3", "h2", "h2", "h2"),
    ]


def test_the_verdict_comes_first(elements: Elements) -> None:
    said = " ".join(" ".join(elements.text).split())
    order = ["Samples & <others>", "good", "valid", "50 %", "40.4 to 59.6 %", "training set 1"]
    places = [said.index(text, said.index("Skip")) for text in order]
    assert places == sorted(places) and places[-1] < said.index("By lead")


def test_names_are_text_and_never_markup(elements: Elements) -> None:
    assert "C<N>&'\"" in elements.text and "<b>not bold</b>" in "".join(elements.text)
    copied = [button["data-copy"] for button in elements.all("button") if "data-copy" in button]
    assert copied.count("C<N>&'\"") == 1 and copied.count("C#C") == 3
    values = [
        json.loads(item["data-values"]) for item in elements.all("li") if "data-values" in item
    ]
    assert values[1] == {"logp": -2.5, "rings": 1.0}


def test_a_script_cannot_be_ended_by_a_caption() -> None:
    frame = Frame(png(1), "</script><script>alert(1)</script>")
    text = page.render(_page(Slider({"call": ["1"]}, {("1",): frame})))
    assert text.count("</script>") == 2 and "alert(1)</" not in text


def test_empty_first_cells_are_filled_for_sorting(elements: Elements) -> None:
    again = [cell for cell in elements.all("td") if cell.get("class") == "again"]
    assert len(again) == 4  # two rows of the table, which is there twice
    assert elements.text.count("ours") == 4 and elements.text.count("other") == 4


def test_a_slider_holds_each_picture_once() -> None:
    frames: dict[tuple[str, ...], Frame] = {(k,): Frame(png(7), f"call {k}", SVG) for k in "123"}
    text = page.render(_page(Slider({"call": list("1234")}, frames)))
    content = text[text.index('"application/json">') + 19 :]
    data = json.loads(content[: content.index("</script>")])
    assert len(data["pictures"]) == 2 and data["choices"] == [list("1234")]
    assert data["frames"] == {str(k): [0, 1, f"call {k + 1}"] for k in range(3)}


def test_pages_are_the_same_each_time() -> None:
    assert page.render(example()) == page.render(example())


def test_pictures_lose_details_only_if_the_page_is_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    many = _page(Figure(buffer.getvalue(), "Noise"))
    path = tmp_path / "new" / "report.html"
    write_page(path, many)
    full = path.stat().st_size
    monkeypatch.setattr(page, "LARGEST", full - 1)
    write_page(path, many)
    assert path.stat().st_size < 0.7 * full and not caplog.messages
    monkeypatch.setattr(page, "LARGEST", 1000)
    with caplog.at_level(logging.WARNING):
        write_page(path, many)
    assert "many or large pictures" in caplog.text and path.exists()


def test_pictures_are_exact_and_no_larger_than_given() -> None:
    picture = np.kron(np.random.default_rng(0).integers(0, 256, (40, 40)), np.ones((8, 8)))
    buffer = io.BytesIO()
    Image.fromarray(picture.astype(np.uint8)).save(buffer, "PNG", compress_level=0)
    uri = data_uri(buffer.getvalue())
    assert uri.startswith("data:image/webp;base64,") and len(uri) < len(buffer.getvalue())
    assert data_uri(png(3)).startswith("data:image/png;base64,")


def test_markdown_becomes_sections(tmp_path: Path) -> None:
    (tmp_path / "curve.png").write_bytes(png(5))
    text = f"# Title\n\nWhat.\n\n## One *more*\n\n![a curve](curve.png)\n\n{TABLE}\n\n## Empty"
    first, second = sections_of(text, tmp_path, "Before")
    assert first == Section("Before", [Text("What.")])
    assert second.title == "One *more*"
    assert second.blocks == [Figure(tmp_path / "curve.png", "A curve"), Text(TABLE.strip())]


def test_an_empty_gallery_is_a_sentence() -> None:
    shown = Elements(page.render(_page(Gallery([], "molecules"))))
    assert "0 molecules" in shown.text and not shown.all("form")


def test_a_share_of_nothing_has_no_certainty() -> None:
    assert KeyFigure.share("valid", 1.0, 0).interval == "100.00 to 100.00 %"
    assert Gallery([Card("a", SVG, {"x": 2.0}), Card("b", SVG, {"x": 1.0})]).ranges == {
        "x": (1, 2)
    }


def _page(*blocks: Text | Figure | Gallery | Slider) -> Page:
    return Page("Title", "refine test", "Fine.", [], [Section("Only", blocks)])
