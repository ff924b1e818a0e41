"""What takes seconds is made once: a tiny trained model, and MNIST."""

from pathlib import Path

import pytest

from images.data.load import Images, mnist
from images.model import ImageModel
from images.training import train
from tests.images.tiny import CONFIG, IMAGES


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the run in which `model` was trained."""
    folder = tmp_path_factory.mktemp("runs")
    train(CONFIG, IMAGES, folder, quiet=True)
    return folder


@pytest.fixture(scope="session")
def model(runs: Path) -> ImageModel:
    """A model trained on `IMAGES`."""
    return train(CONFIG, IMAGES, runs, quiet=True)


@pytest.fixture(scope="session")
def digits() -> Images:
    """MNIST; needs the package index, or a cache that was filled before."""
    return mnist()
