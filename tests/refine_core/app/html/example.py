"""A small page with a section of each kind."""

import io

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
)

TABLE = """\
| forecast | lead | score |
|---|---|---:|
| ours | 1 d | **2.5** [2.1, 3.0] |
|  | 3 d | 10 |
| other | 1 d | – |
|  | 3 d | 1.5e-1 |
"""
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">'
    '<path d="M1 1L8 8" stroke="#000"/></svg>'
)


def png(grey: int, side: int = 8) -> bytes:
    """A picture of one colour."""
    buffer = io.BytesIO()
    Image.new("L", (side, side), grey).save(buffer, "PNG")
    return buffer.getvalue()


def example() -> Page:
    """A page whose names hold what HTML would read as its own."""
    cards = [
        Card(name, SVG, {"logp": value, "rings": 1.0}, beside=("nearest", Card("C#C", SVG)))
        for name, value in (("CCO", 1.0), ("C<N>&'\"", -2.5), ("c1ccccc1", 3.0))
    ]
    frames: dict[tuple[str, ...], Frame] = {
        (kind, lead): Frame(png(grey), f"{kind}, {lead}", SVG if kind == "mean" else None)
        for grey, (kind, lead) in enumerate(
            [("mean", "1 d"), ("mean", "2 d"), ("spread", "1 d")], 100
        )
    }
    choices = {"shown": ["mean", "spread"], "lead time": ["1 d", "2 d"]}
    return Page(
        title="Samples & <others>",
        kind="refine test",
        verdict="Samples are **good**: <b>not bold</b>.",
        figures=[KeyFigure.share("valid", 0.5, 100, "training set 1")],
        sections=[
            Section("Scores", [Text(f"### By lead\n\n{TABLE}")]),
            Section("Curves", [Figure(png(9, 900), "A curve", table=TABLE)]),
            Section("Molecules", [Gallery(cards, "molecules")]),
            Section("Maps", [Slider(choices, frames)]),
        ],
    )
