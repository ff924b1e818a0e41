"""Models to calibrate, and their data."""

from pathlib import Path

import pytest

from tests.weather import tiny
from weather.data.preparation import prepare
from weather.data.prepared import Prepared
from weather.model import WeatherModel


@pytest.fixture(params=["refine", "gaussian"])
def model(request: pytest.FixtureRequest, folder: Path) -> WeatherModel:
    """A fresh copy for each test."""
    return tiny.trained(folder, request.param)


@pytest.fixture
def data(model: WeatherModel) -> Prepared:
    return prepare(model.data, quiet=True)
