"""The synthetic atmosphere as a source, and prepared."""

from pathlib import Path

import pytest

from tests.weather import tiny
from tests.weather.synthetic import config
from weather.data.config import DataConfig
from weather.data.preparation import prepare
from weather.data.prepared import Prepared


@pytest.fixture
def data(folder: Path) -> DataConfig:
    """The data of the synthetic atmosphere, with forcing."""
    return config(tiny.store(folder))


@pytest.fixture
def made(folder: Path, data: DataConfig) -> Prepared:
    """Prepared once for all tests."""
    return prepare(data, folder / "prepared", quiet=True)
