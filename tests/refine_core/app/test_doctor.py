"""`refine doctor`: what it says of an installation, and what it calls broken."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from refine_core.app import doctor
from refine_core.app.cli import main
from refine_core.app.domains import domains
from refine_core.app.extras import installed


def examined(capsys: pytest.CaptureFixture[str], code: int = 0) -> dict[str, Any]:
    """What `refine doctor --json` prints before it ends with a code."""
    if code:
        with pytest.raises(SystemExit) as end:
            main(["doctor", "--json"])
        assert end.value.code == code
    else:
        main(["doctor", "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that holds a file of a megabyte."""
    monkeypatch.setenv("REFINE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "data").write_bytes(bytes(1_000_000))
    return tmp_path / "cache"


def test_a_sound_installation(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = examined(capsys)
    assert found["broken"] == [] and found["versions"]["torch"]
    assert found["caches"]["data"] == {"path": str(cache), "MB": 1.0, "writable": True}
    assert {"graphs/qm9", "images/mnist", "weather/gcm"} <= found["models"].keys()
    main(["doctor"])
    shown = capsys.readouterr().out
    for part in (f"{cache}, MB 1.0", "qm9.safetensors", "sha256 right", "multiplies bfloat16"):
        assert part in shown


def test_a_package_that_an_extra_lacks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = "rdkit"
    monkeypatch.setattr(
        doctor, "installed", lambda name: None if name == lost else installed(name)
    )
    extra = examined(capsys)["extras"]["graphs"]
    assert extra == {
        "for": "`refine graphs`",
        "missing": ["rdkit"],
        "remedy": "pip install 'refine[graphs]'",
    }
    main(["doctor"])
    assert re.search(r"^  rdkit +not installed$", capsys.readouterr().out, re.MULTILINE)
    lost = "torch"  # without which nothing works
    assert "torch is not installed: pip install torch." in examined(capsys, code=1)["broken"]


def test_a_damaged_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = doctor._shipped(domains())["images/mnist"]
    content = bytearray(whole.read_bytes())
    content[-1] ^= 1
    (tmp_path / "mnist.safetensors").write_bytes(content)
    damaged = {"images/mnist": tmp_path / "mnist.safetensors"}
    monkeypatch.setattr(doctor, "_shipped", lambda every: damaged)
    found = examined(capsys, code=1)
    assert found["models"]["images/mnist"]["sha256"] == "WRONG"
    assert found["broken"] == ["The model images/mnist is damaged: install refine again."]


def test_a_cache_that_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REFINE_CACHE", str(tmp_path / "cache" / "data"))
    assert "set REFINE_CACHE to another folder" in str(examined(capsys, code=1)["broken"])


def test_torch_is_not_imported() -> None:
    code = """
import sys
from refine_core.app.cli import main
from refine_core.app.domains import domains
from refine_core.app.extras import installed
main(["doctor", "--json"])
assert not {"torch", "rdkit", "xarray", "numpy"} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
