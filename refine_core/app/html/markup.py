"""Markdown as HTML: what reports are written in, with tables that can be sorted."""

from collections.abc import Iterator, Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape


def to_html(markdown: str) -> Markup:
    """Markdown as HTML, without pictures and without HTML of its own.

    >>> print(to_html("**2** < 3"))
    <p><strong>2</strong> &lt; 3</p>
    <BLANKLINE>
    """
    parser = _parser()
    tokens = parser.parse(markdown)
    for rows in _bodies(tokens):
        _repeat(rows)
    return Markup(parser.renderer.render(tokens, parser.options, {}))


def inline(markdown: str) -> Markup:
    """A line of Markdown as HTML, without a paragraph around it."""
    return Markup(_parser().renderInline(markdown))


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    parser.add_render_rule("table_open", _open)
    parser.add_render_rule("table_close", lambda *_: "</table></div>\n")
    return parser


def _open(_: object, tokens: Sequence[Token], place: int, *__: object) -> str:
    """A table in a part of the page that scrolls alone, named by its columns."""
    end = next(i for i in range(place, len(tokens)) if tokens[i].type == "thead_close")
    titles = [each.content for each in tokens[place:end] if each.type == "inline"]
    label = escape(f"Table: {', '.join(filter(None, titles))}")
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{label}"><table>\n'


def _bodies(tokens: Sequence[Token]) -> Iterator[list[tuple[Token, Token]]]:
    """The first cell of each row of each table: its beginning and its content."""
    rows: list[tuple[Token, Token]] = []
    for i, token in enumerate(tokens):
        if token.type == "tbody_open":
            rows = []
        elif token.type == "td_open" and tokens[i - 1].type == "tr_open":
            rows.append((token, tokens[i + 1]))
        elif token.type == "tbody_close":
            yield rows


def _repeat(rows: Sequence[tuple[Token, Token]]) -> None:
    """Fill empty first cells with what is above, which they stand for, so that rows can move."""
    above: Token | None = None
    for cell, content in rows:
        if content.content:
            above = content
        elif above is not None:
            cell.attrSet("class", "again")
            content.children = above.children
