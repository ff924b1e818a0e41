"""Public names are listed once, imported when asked for, and are not modules."""

import subprocess
import sys
from pathlib import Path

import pytest

import graphs


def test_names_are_found_and_others_are_not() -> None:
    from graphs.model import load

    assert graphs.load is load and "load" in dir(graphs) and "lazy" not in dir(graphs)
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        graphs.lod  # type: ignore[attr-defined]  # noqa: B018


def test_listing_imports_nothing_heavy() -> None:
    source = "import sys, graphs, refine_core; dir(graphs); assert 'torch' not in sys.modules"
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", source], check=True, cwd=root)


def test_models_load_without_what_only_sharding_and_clusters_need() -> None:
    heavy = "{'sympy', 'torch.distributed.tensor', 'distributed'} & sys.modules.keys()"
    source = f"import sys, graphs.model, images.model, weather.model; assert not {heavy}, {heavy}"
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", source], check=True, cwd=root)
