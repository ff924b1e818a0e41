"""The command that checks and prepares the data of a config."""

from pathlib import Path

import pytest

from refine_core.config.schema import dump
from refine_core.errors import InputError
from tests.weather import tiny
from tests.weather.synthetic import config
from weather.cli.main import main
from weather.config import WeatherConfig


def test_statistics_and_starts_are_printed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = WeatherConfig(data=config(tiny.store(folder)))
    (tmp_path / "c.yaml").write_text(dump(made))
    command = ["prepare", "--config", str(tmp_path / "c.yaml")]
    main(command)
    said = capsys.readouterr().out
    for text in ("geopotential_500", "land_sea_mask", "train: 76 starts", str(folder / "cache")):
        assert text in said
    with pytest.raises(InputError, match="1 problem:\n- temperatur: not in the source"):
        main([*command, "--data.atmospheric", "temperatur"])
