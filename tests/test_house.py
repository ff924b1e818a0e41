"""The bars of the house that hold; `python -m tests.house` prints all."""

import statistics
from pathlib import Path

import pytest

from refine_core.storage.files import write_text
from tests import house


@pytest.mark.parametrize("package", ["refine_core", "weather", "images"])
def test_no_rooms_import_each_other_in_a_circle(package: str) -> None:
    assert house.circle(package) == []


@pytest.mark.parametrize("package", ["graphs", "weather", "images"])
def test_no_folder_is_crowded(package: str) -> None:
    assert house.crowded(package) == {}


@pytest.mark.parametrize("package", house.PACKAGES)
def test_functions_are_short(package: str) -> None:
    assert statistics.quantiles(house.bodies(package), n=10)[-1] <= house.LINES


def test_public_signatures_of_the_core_are_typed() -> None:
    assert house.untyped("refine_core") == []


@pytest.mark.parametrize("package", house.PACKAGES)
def test_public_names_exist_and_are_no_names_of_modules(package: str) -> None:
    assert house.misnamed(package) == []


def test_what_is_wrong_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    public = """
from typing import TYPE_CHECKING
from refine_core.exports import lazy
if TYPE_CHECKING:
    from crooked.up.roof import roof as roof
    from crooked.up.roof import gone as gone
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
"""
    roof = """
from typing import Any
import crooked.down.cellar

class Roof:
    tiles: dict[str, Any]
    _beams: Any

def roof(x: "int", *many: Any) -> int:
    '''Say.'''
    return 1

def _hidden(x: Any) -> None:
    ...
"""
    for name, text in {
        "__init__": "",
        "up/__init__": public,
        "up/roof": roof,
        "down/__init__": "",
        "down/cellar": "def deep():\n    import crooked.up.roof\n    return crooked",
        **{f"down/shelf{number}": "" for number in range(house.MODULES)},
    }.items():
        write_text(tmp_path / "crooked" / f"{name}.py", text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(house, "ROOT", tmp_path)
    assert {"crooked.up", "crooked.down"} == set(house.circle("crooked"))
    assert house.crowded("crooked") == {"crooked/down": house.MODULES + 1}
    assert house.untyped("crooked") == ["crooked/up/roof.py:6", "crooked/up/roof.py:9"]
    assert house.misnamed("crooked") == ["crooked.up.roof", "crooked.up.gone"]
    assert sorted(house.bodies("crooked")) == [1, 1, 2]
