"""Commands whose work the workers of a dask cluster share write the bytes of one process."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refine_core.app.processes.cluster import using_cluster
from refine_core.config.schema import dump
from refine_core.errors import InputError
from tests.clusters import cluster
from tests.weather.forecasts import ensemble, starts, world
from tests.weather.synthetic import atmosphere, config
from weather.cli.main import main
from weather.config import WeatherConfig
from weather.data import preparation
from weather.io.files import open_files
from weather.verification.run import verify


@pytest.fixture(scope="module", params=[2, 3])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    with cluster(request.param) as made:
        yield made.scheduler_address


def content(folder: Path) -> dict[str, bytes]:
    """Bytes of the files in a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A config for which a few chunks are to be prepared, by its relative path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(preparation, "BLOCK", 1)
    atmosphere().chunk(time=25).to_zarr("truth.zarr", zarr_format=3, consolidated=False)
    (tmp_path / "c.yaml").write_text(dump(WeatherConfig(data=config("truth.zarr"))))
    return Path("c.yaml")


def test_prepared_data(address: str, prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = {}
    for name, words in {"one": ["--workers", "1"], "many": ["--scheduler", address]}.items():
        monkeypatch.setenv("REFINE_CACHE", name)
        main(["prepare", "--config", str(prepared), *words])
        (folder,) = Path(name, "weather").iterdir()
        made[name] = content(folder)
    assert {"states.npy", "forcing.npy", "meta.json"} < set(made["one"])
    assert made["one"] == made["many"]


def test_what_is_wrong_with_data_is_said_alike(
    address: str, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = atmosphere().copy(deep=True)
    for place in (30, 77):
        source["temperature"].values[place, 1, 3] = np.nan
    source.chunk(time=25).to_zarr("truth.zarr", zarr_format=3, consolidated=False, mode="w")
    said = []
    for name, words in {"one": ["--workers", "1"], "many": ["--scheduler", address]}.items():
        monkeypatch.setenv("REFINE_CACHE", name)
        with pytest.raises(InputError) as raised:
            main(["prepare", "--config", str(prepared), *words])
        said.append(str(raised.value))
    assert said[0] == said[1] and "2000-01-08T12:00 and 1 later times" in said[0]


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """A verification in full, as JSON, that takes the number of processes."""
    folder = tmp_path_factory.mktemp("verified")
    world().chunk(time=50).to_zarr(folder / "truth.zarr", zarr_format=3, consolidated=False)
    forecast = ensemble(world(), 4, starts(7)).drop_vars("valid_time")
    forecast.chunk(time=1).to_zarr(folder / "forecast.zarr", zarr_format=3, consolidated=False)
    forecast.isel(number=slice(3)).to_netcdf(folder / "other.nc")

    def run(workers: int) -> str:
        forecast, truth, other = (
            open_files(str(folder / name)) for name in ("forecast.zarr", "truth.zarr", "other.nc")
        )
        part: Any = {"regions": ["global", "tropics"], "thresholds": {"temperature_850": [270]}}
        others: Any = {"against": {"other": other}, "limit": forecast.isel(time=slice(4))}
        return json.dumps(verify(forecast, truth, **part, **others, workers=workers))

    return run


def test_a_verification(address: str, verified: Callable[..., str]) -> None:
    one = verified(1)
    with using_cluster(address):
        assert verified(1) == one


def test_processes_of_this_machine(
    prepared: Path, verified: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert verified(2) == verified(1)
    for many in "12":
        monkeypatch.setenv("REFINE_CACHE", many)
        main(["prepare", "--config", str(prepared), "--workers", many])
    one, two = (content(Path(name, "weather")) for name in "12")
    assert len(one) > 4 and list(one.values()) == list(two.values())
