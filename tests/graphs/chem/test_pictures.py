"""Pictures of molecules."""

from pathlib import Path

import pytest

from graphs.chem.pictures import plot_molecules
from refine_core.errors import InputError


def test_pictures(tmp_path: Path) -> None:
    plot_molecules(["CCO", "c1ccccc1", "C"], tmp_path / "grid.png", columns=2)
    header = (tmp_path / "grid.png").read_bytes()[:24]
    assert header[1:4] == b"PNG"
    assert [int.from_bytes(header[k : k + 4], "big") for k in (16, 20)] == [400, 400]
    plot_molecules(["CCO"], tmp_path / "grid.svg", legends=["ethanol"])
    assert "<svg" in (tmp_path / "grid.svg").read_text()


def test_a_picture_that_is_too_large_shows_what_fits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plot_molecules(["C"] * 170, tmp_path / "grid.png", columns=1)
    header = (tmp_path / "grid.png").read_bytes()[:24]
    assert [int.from_bytes(header[k : k + 4], "big") for k in (16, 20)] == [200, 163 * 200]
    assert "grid.png shows the first 163 of 170 molecules" in caplog.text
    plot_molecules(["C"] * 170, tmp_path / "wide.png", columns=170)
    plot_molecules(["C"] * 170, tmp_path / "grid.svg", columns=1)
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(
    ("smiles", "name", "sentence"),
    [
        (["C"], "a.jpg", "expected .png or .svg"),
        ([], "a.png", "no molecule to plot"),
        (["C", "C1"], "a.png", "'C1' is not a molecule"),
    ],
)
def test_wrong_pictures_are_refused(
    tmp_path: Path, smiles: list[str], name: str, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        plot_molecules(smiles, tmp_path / name)
    assert not list(tmp_path.iterdir())
