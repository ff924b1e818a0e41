"""How figures are written."""

import subprocess
import sys
from itertools import combinations
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from refine_core.app.figures import FORMATS, PALETTE, house_style, save
from refine_core.errors import InputError


def drawn() -> Figure:
    figure = Figure(figsize=(2, 1), layout="constrained")
    figure.subplots().plot([1, 2, 3], label="line")
    return figure


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_same_figure_gives_the_same_bytes(suffix: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        with house_style():
            save(drawn(), tmp_path / f"{name}{suffix}")
    first, second = ((tmp_path / f"{name}{suffix}").read_bytes() for name in ("a", "b"))
    assert first == second and len(first) > 1000 and b"atplotlib" not in first[-200:]
    assert len(list(tmp_path.iterdir())) == 2


def test_few_colours_make_a_smaller_file(tmp_path: Path) -> None:
    with house_style():
        save(drawn(), tmp_path / "all.png")
        save(drawn(), tmp_path / "few.png", colours=64)
    assert (tmp_path / "few.png").stat().st_size < (tmp_path / "all.png").stat().st_size
    assert (tmp_path / "few.png").read_bytes().startswith(b"\x89PNG")


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x.jpg ends with '.jpg': give one of .png, .svg, .pdf"):
        save(drawn(), tmp_path / "x.jpg")


def test_style_ends_and_the_palette_is_in_use() -> None:
    before = dict(matplotlib.rcParams)
    with house_style():
        (line,) = Figure().subplots().plot([1, 2])
        assert line.get_color() == PALETTE[0]
    assert dict(matplotlib.rcParams) == before


def test_no_two_colours_are_one_to_a_colour_blind_reader() -> None:
    """Simulated deuteranopia (Machado et al., 2009), in linear light."""
    blind = np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.01182, 0.04294, 0.968881],
        ]
    )
    seen = [blind @ np.array(to_rgb(colour)) ** 2.2 for colour in PALETTE]
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 0.1


def test_nothing_is_imported_or_chosen_before_it_is_needed() -> None:
    source = """
import sys
import refine_core.app.figures, refine_core.app.report
assert "matplotlib" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", source], check=True)


def test_a_rare_colour_stays_what_it_is(tmp_path: Path) -> None:
    figure = Figure(figsize=(4, 3))
    shades = np.linspace(0, 1, 4000).reshape(50, 80)
    figure.add_axes((0, 0, 1, 1)).imshow(shades, cmap="viridis", interpolation="bilinear")
    figure.add_axes((0.5, 0.5, 0.02, 0.02)).set(xticks=[], yticks=[], facecolor="#e0218a")
    save(figure, tmp_path / "few.png", colours=32)
    with Image.open(tmp_path / "few.png") as picture:
        found = np.asarray(picture.convert("RGB")).reshape(-1, 3).astype(int)
    assert np.abs(found - (0xE0, 0x21, 0x8A)).max(1).min() < 20
