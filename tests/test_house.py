"""The bars of the house, which `python -m tests.house` prints."""

from pathlib import Path

import pytest

from refine_core.storage.files import write_text
from tests import house


def test_every_bar_is_met(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        house.main()
    said = capsys.readouterr().out
    assert end.value.code == 0, said
    assert "| package | modules | rooms |" in said and "Every bar is met." in said


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


def test_the_map_shows_every_room() -> None:
    """CONTRIBUTING names each room of each package, so that a thing is found in two steps."""
    text = (house.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for package in house.PACKAGES:
        for init in (house.ROOT / package).rglob("__init__.py"):
            parts = init.parent.relative_to(house.ROOT / package).parts
            assert not parts or f"{parts[-1]}/" in text, f"CONTRIBUTING lacks {init.parent}"
