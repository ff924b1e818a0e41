"""Drawn figures of the concepts, as SVG: a few shapes each, and no numbers of experiments."""

import math
from collections.abc import Callable, Iterable, Sequence

INK, PALE, LINE = "#263238", "#eceff1", "#90a4ae"
COLOURS = ("#3f51b5", "#00897b", "#ef6c00", "#8e24aa")


def product() -> str:
    """Codes of three scales, each drawn in one call from all before it."""
    shapes, x = [], 30.0
    for k, count in enumerate((1, 2, 4)):
        side = 96 / count
        shapes += [
            _grid(x, 40, count, side, COLOURS[k : k + 1]),
            _text(x + 48, 160, f"codes c{k + 1}"),
        ]
        if k < 2:
            shapes += [
                _arrow(x + 104, 88, x + 146, 88),
                _text(x + 125, 76, f"call {k + 2}", size=12),
            ]
        x += 154
    shapes += [
        _arrow(x - 46, 88, x - 4, 88),
        _text(x - 25, 76, "decode", size=12),
        _digit(x + 2, 40),
    ]
    return _svg(600, 180, [_text(78, 24, "call 1", size=12), *shapes, _text(x + 50, 160, "image")])


def pyramids() -> str:
    """A signal as a coarse version and residuals, which add up to it."""
    curves = ((lambda t: _low(t)), (lambda t: _middle(t)), (lambda t: _high(t)))
    shapes: list[str] = []
    for k, (curve, title) in enumerate(
        zip(curves, ("coarsest", "residual", "finest residual"), strict=True)
    ):
        x = 20 + 150 * k
        shapes += [_curve(x, 70, 110, curve, COLOURS[k]), _text(x + 55, 128, title, size=13)]
        shapes.append(_text(x + 130, 75, "+" if k < 2 else "=", size=20))
    whole = _curve(470, 70, 110, lambda t: _low(t) + _middle(t) + _high(t), INK)
    return _svg(600, 145, [*shapes, whole, _text(525, 128, "the signal", size=13)])


def quantizers() -> str:
    """Three ways to divide a plane of features: learnt codes, a lattice, signs."""
    learnt = [(30, 35), (75, 25), (120, 60), (55, 80), (95, 105), (25, 120)]
    lattice = [(20 + 37 * i, 20 + 37 * j) for i in range(4) for j in range(4)]
    signs = [(42, 42), (108, 42), (42, 108), (108, 108)]
    shapes = []
    rows = ((learnt, "VQ: learnt codes"), (lattice, "FSQ: a lattice"), (signs, "Bitwise: signs"))
    for k, (points, title) in enumerate(rows):
        x = 25 + 195 * k
        shapes += [
            _rect(x, 20, 150, 150, PALE),
            *(_dot(x + a, 20 + b, 5, COLOURS[k]) for a, b in points),
        ]
        nearest = min(points, key=lambda point: math.dist(point, (88, 72)))
        shapes += [_dot(x + 88, 92, 4, INK), _arrow(x + 88, 92, x + nearest[0], 20 + nearest[1])]
        shapes.append(_text(x + 75, 192, title))
    return _svg(600, 205, shapes)


def heads() -> str:
    """Hidden states of a scale to laws of its codes: apart, or one after the other."""
    shapes = [_text(140, 22, "independent"), _text(450, 22, "one after the other (depth)")]
    for left, chained in ((30, False), (340, True)):
        for i in range(3):
            x = left + 80 * i
            shapes += [_rect(x, 130, 60, 26, PALE), _text(x + 30, 148, f"h{i + 1}", size=13)]
            shapes += [_arrow(x + 30, 128, x + 30, 104)]
            shapes += [
                _rect(x + 6 + 13 * b, 98 - h, 10, h, COLOURS[i]) for b, h in enumerate(_bars(i))
            ]
            if chained and i < 2:
                shapes.append(_arrow(x + 62, 70, x + 82, 70))
    return _svg(600, 172, shapes)


def schedules() -> str:
    """Sizes of a schedule, the last of them in two calls of interleaved cells."""
    shapes, x = [], 30.0
    for count, parts, title in (
        (1, 1, "1: one call"),
        (2, 1, "2 x 2: one call"),
        (5, 2, "5 x 5: two calls"),
    ):
        side = 100 / count
        first = COLOURS[0] if count == 1 else COLOURS[1]
        shapes.append(_grid(x, 25, count, side, (first,) if parts == 1 else COLOURS[2:]))
        shapes.append(_text(x + 50, 148, title))
        x += 200
    return _svg(600, 165, shapes)


def noise() -> str:
    """Samples in one batch or in two: their noise is that of their number."""
    shapes = [_text(66, 45, "batch of 4", size=13), _text(66, 115, "batches of 1 and 3", size=13)]
    for row, gaps in ((0, (0, 0, 0, 0)), (1, (0, 40, 40, 40))):
        for i in range(4):
            x, y = 150 + 95 * i + gaps[i], 20 + 70 * row
            shapes += [
                _rect(x, y, 88, 40, COLOURS[i]),
                _text(x + 44, y + 25, f"(seed, {i})", "#fff", 14),
            ]
    return _svg(600, 150, shapes)


def weather() -> str:
    """A forecast: the mean of the next state, and members with residuals about it."""
    start = (60, 110)
    shapes = [_text(60, 160, "analysis", size=13), _text(220, 160, "day 1", size=13)]
    shapes += [_text(500, 160, "later", size=13), _text(130, 92, "mean", COLOURS[0], 13)]
    for member, slope in enumerate((-0.55, -0.25, 0.1, 0.35, 0.6)):
        places = [start]
        for step in range(1, 4):
            wiggle = 9 * math.sin(2.1 * member + 1.7 * step)
            places.append((60 + 150 * step, 110 - 6 * step + slope * 32 * step**0.8 + wiggle))
        shapes.append(_path(places, COLOURS[1]))
        shapes += [_dot(x, y, 4, COLOURS[1]) for x, y in places[1:]]
    shapes += [
        _arrow(*start, 204, 105, COLOURS[0]),
        _dot(210, 105, 6, COLOURS[0]),
        _dot(*start, 6, INK),
    ]
    shapes += [_text(330, 22, "members: mean + sampled residual", COLOURS[1], 13)]
    return _svg(600, 175, shapes)


def contraction() -> str:
    """A graph contracted to one cluster; a sample takes the way back."""
    nodes = [(0, 0), (40, 0), (0, 45), (40, 45), (85, 22), (120, 22)]
    edges = [(0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (4, 5)]
    levels: Sequence[tuple[list[tuple[int, int]], list[tuple[int, int]], Sequence[int], int]] = (
        (nodes, edges, (0, 0, 1, 1, 2, 2), 9),
        ([(20, 0), (20, 45), (102, 22)], [(0, 1), (1, 2)], (0, 1, 2), 14),
        ([(20, 22), (102, 22)], [(0, 1)], (3, 2), 18),
        ([(60, 22)], [], (3,), 24),
    )
    shapes = []
    for k, (points, joined, colours, radius) in enumerate(levels):
        left = 20 + 150 * k
        at = [(left + x, 45 + y) for x, y in points]
        shapes += [_path([at[a], at[b]], LINE) for a, b in joined]
        shapes += [_dot(x, y, radius, COLOURS[c]) for (x, y), c in zip(at, colours, strict=True)]
    shapes += [_arrow(120, 130, 480, 130), _text(300, 122, "contract, to encode", size=13)]
    shapes += [_arrow(480, 152, 120, 152), _text(300, 170, "split, to sample", size=13)]
    return _svg(620, 180, shapes)


FIGURES: dict[str, Callable[[], str]] = {
    each.__name__: each
    for each in (product, pyramids, quantizers, heads, schedules, noise, weather, contraction)
}
"""Figures by name."""


def _low(t: float) -> float:
    return 22 * math.sin(2 * math.pi * t)


def _middle(t: float) -> float:
    return 10 * math.sin(6 * math.pi * t + 1)


def _high(t: float) -> float:
    return 5 * math.sin(22 * math.pi * t)


def _bars(i: int) -> Sequence[int]:
    return ((12, 44, 26, 8), (30, 10, 16, 40), (8, 20, 48, 14))[i]


def _svg(width: int, height: int, shapes: Iterable[str]) -> str:
    tip = f'<path d="M0 0L8 4L0 8z" fill="{INK}"/>'
    marker = f'<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">{tip}</marker>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">'
    return f"{head}<defs>{marker}</defs>{''.join(shapes)}</svg>"


def _rect(x: float, y: float, wide: float, high: float, fill: str) -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{wide:g}" height="{high:g}" fill="{fill}" stroke="#fff"/>'


def _dot(x: float, y: float, radius: float, fill: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{fill}"/>'


def _text(x: float, y: float, text: str, fill: str = INK, size: int = 15) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="middle" font-size="{size}" fill="{fill}">{text}</text>'


def _path(points: Sequence[tuple[float, float]], stroke: str) -> str:
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{line}" fill="none" stroke="{stroke}" stroke-width="2"/>'


def _arrow(x: float, y: float, to_x: float, to_y: float, stroke: str = INK) -> str:
    ends = f'x1="{x:g}" y1="{y:g}" x2="{to_x:g}" y2="{to_y:g}"'
    return f'<line {ends} stroke="{stroke}" stroke-width="1.5" marker-end="url(#tip)"/>'


def _curve(x: float, y: float, wide: float, height: Callable[[float], float], stroke: str) -> str:
    return _path([(x + wide * i / 100, y - height(i / 100)) for i in range(101)], stroke)


def _grid(x: float, y: float, count: int, side: float, colours: Sequence[str]) -> str:
    """Square cells, their colours in turns along the diagonals."""
    places = ((i, j) for i in range(count) for j in range(count))
    return "".join(
        _rect(x + side * j, y + side * i, side, side, colours[(i + j) % len(colours)])
        for i, j in places
    )


def _digit(x: float, y: float) -> str:
    """A drawn three."""
    stroke = f'fill="none" stroke="{INK}" stroke-width="9" stroke-linecap="round"'
    line = f"M{x + 28:g} {y + 22:g}c12 -16 44 -12 42 10c-1 14 -14 18 -22 18c10 0 26 6 26 22c0 24 -34 28 -48 10"
    return f'{_rect(x, y, 96, 96, PALE)}<path d="{line}" {stroke}/>'
