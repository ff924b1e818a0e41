"""The numbers of the house: `python -m tests.house`, which exits with 1 if a bar is missed.

A room is a folder of a package, or a module at its top. Imports for type checkers are no arrows.
"""

import ast
import statistics
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path

import grimp

from refine_core.app.report import table

ROOT = Path(__file__).parents[1]
PACKAGES = ("refine_core", "graphs", "weather", "images")
MODULES, LINES = 14, 25
"""Bars: modules of a folder; lines of a function's body, for nine functions of ten."""


@cache
def arrows(package: str) -> dict[str, set[str]]:
    """The rooms that each room imports from."""
    graph = grimp.build_graph(package, exclude_type_checking_imports=True)
    folders = {m for m in graph.modules if graph.find_children(m)}

    def room(module: str) -> str:
        parent = module.rpartition(".")[0]
        return module if module in folders or parent == package else parent

    found: dict[str, set[str]] = {room(module): set() for module in graph.modules}
    for module in graph.modules:
        for other in graph.find_modules_directly_imported_by(module):
            found[room(module)] |= {room(other)} - {room(module)}
    return found


def circle(package: str) -> list[str]:
    """Rooms that import from each other in a circle, if there are such."""
    try:
        TopologicalSorter(arrows(package)).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def levels(package: str) -> int:
    """Rooms on the longest way down."""
    depth: dict[str, int] = {}
    for room in TopologicalSorter(arrows(package)).static_order():
        depth[room] = 1 + max((depth[other] for other in arrows(package)[room]), default=0)
    return max(depth.values())


def files(package: str) -> Iterator[Path]:
    """Every file of a package."""
    return (ROOT / package).rglob("*.py")


def crowded(package: str) -> dict[str, int]:
    """Folders with more modules than there may be."""
    count = Counter(f.parent for f in files(package) if f.name != "__init__.py")
    return {str(p.relative_to(ROOT)): n for p, n in sorted(count.items()) if n > MODULES}


def bodies(package: str) -> list[int]:
    """Lines of every function's body, without its docstring."""
    found = []
    for path in files(package):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) is not None else node.body
                found.append(body[-1].end_lineno - body[0].lineno + 1 if body else 0)  # type: ignore
    return found


def untyped(package: str) -> list[str]:
    """Places of public functions, methods and attributes whose annotations say `Any`."""
    found = []
    for path in files(package):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        lines = (node.lineno for node in _public(tree.body) if _says_any(node))
        found += [f"{path.relative_to(ROOT)}:{line}" for line in lines]
    return sorted(found)


def _public(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AnnAssign]:
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _public(node.body)
        elif isinstance(node, ast.FunctionDef):
            if not node.name.startswith("_") or node.name.startswith("__"):
                yield node
        elif isinstance(node, ast.AnnAssign) and not ast.unparse(node.target).startswith("_"):
            yield node


def _says_any(node: ast.FunctionDef | ast.AnnAssign) -> bool:
    if isinstance(node, ast.AnnAssign):
        parts: list[ast.AST | None] = [node.annotation]
    else:
        arguments = (each for each in ast.walk(node.args) if isinstance(each, ast.arg))
        parts = [node.returns, *(each.annotation for each in arguments)]
    names = (each for part in parts if part is not None for each in ast.walk(part))
    return any(isinstance(each, ast.Name) and each.id == "Any" for each in names)


def misnamed(package: str) -> list[str]:
    """Public names of rooms that are a module's too, or that do not exist."""
    found = []
    for path in files(package):
        if path.name == "__init__.py":
            name = ".".join(path.parent.relative_to(ROOT).parts)
            room, modules = import_module(name), {p.stem for p in path.parent.iterdir()}
            public: list[str] = getattr(room, "__all__", [])
            found += [f"{name}.{each}" for each in public if each in modules]
            found += [f"{name}.{each}" for each in public if not hasattr(room, each)]
    return found


def main() -> None:
    """Print the numbers, and what misses a bar."""
    rows: list[dict[str, object]] = []
    missed = [f"`Any` in the public signature at {place}" for place in untyped("refine_core")]
    for package in PACKAGES:
        lines = bodies(package)
        p90 = statistics.quantiles(lines, n=10)[-1]
        round_trip, rooms = circle(package), arrows(package)
        row = {"package": package, "modules": sum(1 for _ in files(package)), "rooms": len(rooms)}
        row |= {"arrows": sum(map(len, rooms.values())), "any": len(untyped(package))}
        row |= {"levels": "circle" if round_trip else levels(package)}
        row |= {"body, median": statistics.median(lines), "p90": p90, "longest": max(lines)}
        rows.append(row)
        missed += [f"circle {' > '.join(round_trip)}"] if round_trip else []
        missed += [f"{place} has {n} modules" for place, n in crowded(package).items()]
        missed += [f"{package}: nine of ten functions have up to {p90:g} lines"] * (p90 > LINES)
        missed += [f"{name} is a module's name too, or not there" for name in misnamed(package)]
    print(table(list(rows[0]), rows))
    print("\n".join(["", *missed]) if missed else "\nEvery bar is met.")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
