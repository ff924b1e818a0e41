"""Examples in docstrings: the package that some of them need, and a cache of their own."""

import pytest


@pytest.fixture(autouse=True)
def example(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Leave an example out where its package is missing, and the user's cache as it is."""
    if isinstance(request.node, pytest.DoctestItem):
        monkeypatch.setenv("REFINE_CACHE", str(tmp_path_factory.mktemp("cache")))
        if "pyg" in request.node.name:
            pytest.importorskip("torch_geometric")  # whose import warns, too
