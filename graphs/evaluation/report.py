"""Reports of the metrics as text."""

from collections.abc import Mapping


def markdown(report: Mapping[str, float]) -> str:
    """Return a table with every metric, its floor and their ratio where there are such.

    >>> print(markdown({"valid": 0.975, "orbit": 0.04, "orbit_floor": 0.02, "orbit_ratio": 2}))
    | metric | value | floor | ratio |
    |---|---|---|---|
    | valid | 0.975 |  |  |
    | orbit | 0.04 | 0.02 | 2 |
    <BLANKLINE>

    Args:
        report: Of `evaluate_molecules` or `evaluate_graphs`, or part of it.
    """
    suffixes = ("_floor", "_ratio")
    lines = ["| metric | value | floor | ratio |", "|---|---|---|---|"]
    for name in report:
        if not name.endswith(suffixes):
            keys = (name, *(name + suffix for suffix in suffixes))
            cells = (f"{report[key]:.5g}" if key in report else "" for key in keys)
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])
