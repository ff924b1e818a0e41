"""A page in a real browser: on a phone and a desktop, by keyboard, without any request."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from refine_core.app.html import write_page
from tests.refine_core.app.html.example import example

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="needs playwright: pip install playwright"
)
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
SIZES = {"phone": (390, 844), "desktop": (1280, 900)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
            )
        except sync_api.Error as error:
            pytest.skip(f"no Chromium starts here: {str(error).splitlines()[0]}")
        yield started
        started.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_works_in_a_browser(browser: Any, tmp_path: Path, size: str, scheme: str) -> None:
    path = tmp_path / "report.html"
    write_page(path, example())
    width, height = SIZES[size]
    view = browser.new_page(
        viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
    )
    view.set_default_timeout(20_000)
    said: list[str] = []
    asked: list[str] = []
    view.on("console", lambda message: said.append(message.text))
    view.on("pageerror", lambda error: said.append(str(error)))
    view.on("request", lambda request: asked.append(request.url))
    view.goto(path.as_uri())
    _check_table(view)
    _check_slider(view)
    _check_gallery(view)
    assert view.evaluate("document.documentElement.scrollWidth") <= width
    assert view.evaluate("[...document.images].every((i) => i.hidden || i.naturalWidth)")
    ground = view.evaluate("getComputedStyle(document.body).backgroundColor")
    dark = max(map(int, ground.removeprefix("rgb(").rstrip(")").split(","))) < 128
    assert dark == (scheme == "dark")
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    view.close()


def _check_table(view: Any) -> None:
    """Enter sorts by a column of numbers upwards, downwards, and as it was."""
    view.keyboard.press("Tab")
    assert view.evaluate("document.activeElement.className") == "skip"
    column = view.locator("table").first.locator("th").nth(2)
    column.locator("button").focus()
    orders = []
    for expected in ("ascending", "descending", "none"):
        view.keyboard.press("Enter")
        assert column.get_attribute("aria-sort") == expected
        orders.append(view.locator("table").first.locator("td:nth-child(3)").all_inner_texts())
    one, two, three, nothing = "1.5e-1", "2.5 [2.1, 3.0]", "10", "–"
    assert orders == [
        [one, two, three, nothing],
        [three, two, one, nothing],
        [two, three, nothing, one],
    ]


def _check_slider(view: Any) -> None:
    """Arrows move the slider, a menu chooses; what is missing is said."""
    slider = view.locator(".slider")
    caption, picture = slider.locator("figcaption"), slider.locator(".shown")
    assert caption.inner_text() == "mean, 1 d"
    before = picture.get_attribute("src")
    slider.locator("input").focus()
    view.keyboard.press("ArrowRight")
    assert caption.inner_text() == "mean, 2 d" and picture.get_attribute("src") != before
    assert slider.locator("input").get_attribute("aria-valuetext") == "2 d"
    slider.locator("select").select_option(label="spread")
    assert "no picture" in caption.inner_text() and not picture.is_visible()
    slider.locator("input").focus()
    view.keyboard.press("ArrowLeft")
    assert caption.inner_text() == "spread, 1 d" and picture.is_visible()
    assert not slider.locator(".legend").is_visible()


def _check_gallery(view: Any) -> None:
    """Limits choose cards, the menu orders them, and names are copied."""
    gallery = view.locator(".gallery")
    if not gallery.locator("form").is_visible():
        gallery.locator("summary").first.press("Enter")
    names = gallery.locator(".card:not([hidden]) > .name code")
    gallery.locator("input[name=logp][data-end=low]").fill("0")
    assert gallery.locator(".count").inner_text() == "2 of 3 molecules"
    assert names.all_inner_texts() == ["CCO", "c1ccccc1"]
    gallery.locator("select").select_option(label="logp, largest first")
    assert names.all_inner_texts() == ["c1ccccc1", "CCO"]
    gallery.locator("button[type=reset]").press("Enter")
    sync_api.expect(gallery.locator(".count")).to_have_text("3 molecules")
    button = gallery.locator("[data-copy=CCO]")
    button.press("Enter")
    sync_api.expect(button).not_to_have_text("Copy")
    assert gallery.locator(".more").is_hidden()
