"""A folder for trained models, shared by all tests, with a cache of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds what several modules of tests train and prepare."""
    return tmp_path_factory.mktemp("weather")


@pytest.fixture(scope="module")
def folder(shared_folder: Path) -> Iterator[Path]:
    """The shared folder, also as the cache of prepared data."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFINE_CACHE", str(shared_folder / "cache"))
        yield shared_folder
