"""Shipped configs are found by name from any folder."""

from pathlib import Path

import pytest

from graphs.config import GraphsConfig
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


def test_a_name_alone_is_one_of_the_class_s_domain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shipped.config_file("gcm", "weather") == ROOT / "configs" / "weather" / "gcm.yaml"
    assert shipped.config_file("gcm", "graphs") == Path("gcm")  # there is none
    assert load(GraphsConfig, "qm9") == load(GraphsConfig, "graphs/qm9")
    (tmp_path / "qm9").mkdir()  # the folder of a run hides no config
    assert load(GraphsConfig, "qm9").name == "qm9"
    with pytest.raises(InputError, match="Did you mean 'qm9'"):
        load(GraphsConfig, "qm8")
