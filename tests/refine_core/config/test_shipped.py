"""Shipped configs are found by name from any folder, and a wheel holds them all."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from refine_core.config import shipped
from refine_core.config.schema import load
from refine_core.errors import InputError
from tests.refine_core.config.setup import Setup

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", ["weather/gcm", "configs/weather/gcm.yaml", "weather/gcm.yaml"])
def test_a_config_is_found_from_anywhere(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shipped.config_file(name) == ROOT / "configs" / "weather" / "gcm.yaml"
    (tmp_path / "weather").mkdir()
    (tmp_path / "weather" / "gcm.yaml").write_text("name: mine")
    found = shipped.config_file("weather/gcm.yaml")
    assert found.resolve() == tmp_path / "weather" / "gcm.yaml"  # a file of one's own comes first


def test_a_name_like_a_shipped_one_is_proposed() -> None:
    with pytest.raises(InputError, match="a shipped config .* Did you mean 'weather/gcm'"):
        load(Setup, "weather/gmc")


def test_a_wheel_holds_every_config(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = {Path(n) for n in archive.namelist() if n.startswith("refine_configs/")}
    there = {Path("refine_configs") / p.relative_to(ROOT / "configs") for p in CONFIGS}
    assert inside == there and len(there) > 20


CONFIGS = list((ROOT / "configs").glob("*/*.yaml"))
