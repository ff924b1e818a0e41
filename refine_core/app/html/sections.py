"""What a report shows: key figures, and sections of text, figures, galleries and sliders.

A domain makes them of the results of which it makes its Markdown; texts and tables are Markdown,
so that each is written once.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from refine_core.app.html.pictures import Picture

NORMAL = 1.959964  # the 97.5 % quantile of the normal distribution
_IMAGE = re.compile(r"!\[(?P<caption>[^\]]*)\]\((?P<name>[^)]+)\)")


@dataclass(frozen=True)
class KeyFigure:
    """A number that the verdict rests on.

    Args:
        label: What it is.
        value: With its unit.
        interval: Its interval of 95 %, or how it varies; empty where that is not known.
        beside: What to compare it with.
    """

    label: str
    value: str
    interval: str = ""
    beside: str = ""

    @classmethod
    def share(cls, label: str, share: float, count: float, beside: str = "") -> "KeyFigure":
        """A share of `count` independent trials with its interval (Wilson, 1927).

        >>> KeyFigure.share("valid", 0.9, 100).interval
        '82.6 to 94.5 %'
        >>> KeyFigure.share("valid", 0.9996, 10_000).interval
        '99.90 to 99.98 %'
        """
        square = NORMAL**2 / count if count else 0.0
        middle = (share + square / 2) / (1 + square)
        half = ((share * (1 - share) + square / 4) * square) ** 0.5 / (1 + square)
        low, high = (100 * min(max(end, 0.0), 1.0) for end in (middle - half, middle + half))
        digits = 1 if high - low > 1 else 2
        interval = f"{low:.{digits}f} to {high:.{digits}f} %"
        return cls(label, f"{100 * share:.4g} %", interval, beside)


@dataclass(frozen=True)
class Text:
    """Paragraphs, lists and tables in Markdown; tables can be sorted."""

    markdown: str


@dataclass(frozen=True)
class Figure:
    """A picture, and the numbers that it shows.

    Args:
        picture: See `refine_core.app.html.pictures`.
        caption: The line below it.
        alt: What it shows, for those who do not see it; by default the caption.
        table: The numbers, a table in Markdown.
    """

    picture: Picture
    caption: str
    alt: str = ""
    table: str = ""


@dataclass(frozen=True)
class Card:
    """One thing of a gallery.

    Args:
        name: Its name, which readers can copy.
        picture: Line art on a transparent ground, which the dark page inverts.
        values: Its properties by name.
        note: A line about it.
        beside: Something to compare it with, by what that is.
    """

    name: str
    picture: Picture
    values: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    beside: "tuple[str, Card] | None" = None


@dataclass(frozen=True)
class Gallery:
    """Cards in a grid, to be filtered and sorted by their values.

    Args:
        cards: In the order in which they are shown; all have the same values.
        what: What the cards are, in the plural.
    """

    cards: Sequence[Card]
    what: str = "cards"

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Least and largest of each value."""
        names = self.cards[0].values if self.cards else ()
        columns = {name: [card.values[name] for card in self.cards] for name in names}
        return {name: (min(values), max(values)) for name, values in columns.items()}


@dataclass(frozen=True)
class Frame:
    """One picture of a slider.

    Args:
        picture: See `refine_core.app.html.pictures`.
        caption: The line below it, which says what it shows.
        legend: A picture of what colours mean, shown below it.
    """

    picture: Picture
    caption: str
    legend: Picture | None = None


@dataclass(frozen=True)
class Slider:
    """Pictures of which one is shown, chosen by a slider and by menus.

    Args:
        choices: Values by name: those of menus, and last those of the slider.
        frames: Frames by a value of each choice, in that order; some may be missing.
        pixels: Whether pictures are of few pixels, and are shown with sharp ones.
    """

    choices: Mapping[str, Sequence[str]]
    frames: Mapping[tuple[str, ...], Frame]
    pixels: bool = False


Block = Text | Figure | Gallery | Slider


@dataclass(frozen=True)
class Section:
    """A heading, and what is below it."""

    title: str
    blocks: Sequence[Block]


def sections_of(markdown: str, folder: Path, first: str = "") -> list[Section]:
    """The sections of a report in Markdown: one for each heading of the second level.

    A paragraph that is nothing but a picture becomes a figure; the heading of the first level,
    which is that of the page, is left out.

    Args:
        markdown: The report.
        folder: Where its pictures are.
        first: Title of what stands before the first heading.
    """
    found: list[tuple[str, list[Block]]] = [(first, [])]
    for part in re.split(r"\n{2,}", markdown.strip()):
        if part.startswith("## "):
            found.append((part[3:].strip(), []))
        elif image := _IMAGE.fullmatch(part.strip()):
            caption = image["caption"][:1].upper() + image["caption"][1:]
            found[-1][1].append(Figure(folder / image["name"], caption))
        elif not part.startswith("# "):
            found[-1][1].append(Text(part))
    return [Section(title, blocks) for title, blocks in found if blocks]
