"""A folder for trained models, with a cache of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Also where prepared data are kept."""
    path = tmp_path_factory.mktemp("weather")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFINE_CACHE", str(path / "cache"))
        yield path
