"""The wheel and the source archive: what is in them, and that an installed wheel works."""

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PACKAGES = ("refine_core", "graphs", "images", "weather")
CONSUMER = """
import graphs
import images
import torch
import weather
from refine_core import Noise, Refiner


def threes(model: images.ImageModel) -> torch.Tensor:
    return model.sample(4, seed=0, labels=3)


def molecules(model: graphs.GraphModel) -> list[str | None]:
    return model.smiles(model.sample(4))


def members(model: weather.WeatherModel) -> int:
    return sum(len(state.members) for state in model.rollout(torch.zeros(1), "2003-11-01"))


def noise() -> Noise:
    return Noise.range(0, 4)
"""


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a wheel and a source archive, as `make dist` builds them."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return folder


def wheel(dist: Path) -> Path:
    (found,) = dist.glob("*.whl")
    return found


def tracked(folder: str) -> set[Path]:
    """Files of a folder that are no by-products."""
    files = (path for path in (ROOT / folder).rglob("*") if path.is_file())
    return {path.relative_to(ROOT) for path in files if "__pycache__" not in path.parts}


def test_a_wheel_holds_every_file_of_the_packages_and_every_config(dist: Path) -> None:
    with zipfile.ZipFile(wheel(dist)) as archive:
        inside = {Path(name) for name in archive.namelist()}
    inside = {path for path in inside if not path.parts[0].endswith(".dist-info")}
    configs = {Path("refine_configs") / path.relative_to("configs") for path in tracked("configs")}
    assert len(configs) > 20
    assert inside == set[Path]().union(configs, *map(tracked, PACKAGES))
    for package in PACKAGES:
        assert Path(package) / "py.typed" in inside
    for name in ("graphs/weights/qm9", "images/weights/mnist", "weather/weights/gcm"):
        assert Path(f"{name}.safetensors") in inside
    assert Path("weather/sample_data/gcm_2019.nc") in inside


def test_a_source_archive_holds_what_a_wheel_is_built_from_and_its_tests(dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        inside = {Path(*Path(name).parts[1:]) for name in archive.getnames()}
    for folder in (*PACKAGES, "configs", "tests"):
        assert tracked(folder) <= inside
    for name in (
        "pyproject.toml",
        "conftest.py",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "CITATION.cff",
    ):
        assert Path(name) in inside
    assert not any(path.parts[:1] in (("runs",), ("results",)) for path in inside)


def test_the_citation_is_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version
    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.fixture(scope="module")
def elsewhere(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an environment `env` in which the wheel is installed, and its requirements.

    These are the ones of this environment, from which the wheel's own packages come first.
    """
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder / "env")
    (site,) = folder.glob("env/lib/python*/site-packages")
    (site / "requirements.pth").write_text(sysconfig.get_path("purelib"))
    with zipfile.ZipFile(wheel(dist)) as archive:
        archive.extractall(site)
    return folder


def run(elsewhere: Path, *words: str) -> str:
    """What Python prints in the environment, from its folder."""
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    python = [str(elsewhere / "env" / "bin" / "python"), *words]
    ran = subprocess.run(python, cwd=elsewhere, env=own, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_refine_runs_from_a_wheel_in_any_folder(elsewhere: Path) -> None:
    refine = ["-m", "refine_core.app.cli"]
    found = json.loads(run(elsewhere, *refine, "doctor", "--json"))
    assert found["versions"]["refine in"].startswith(str(elsewhere / "env"))
    assert found["broken"] == []
    assert {model["sha256"] for model in found["models"].values()} == {"right"}
    for domain, config in (("graphs", "qm9"), ("images", "mnist"), ("weather", "gcm")):
        shown = run(elsewhere, *refine, domain, "train", "--config", config, "--help")
        assert f"those of {config};" in " ".join(shown.split())
    run(elsewhere, *refine, *"graphs sample --count 3".split())
    run(elsewhere, *refine, *"images sample --count 4".split())
    run(elsewhere, *refine, *"weather forecast --members 2 --lead-days 1".split())
    for name in ("molecules.smi", "samples.png", "forecast.zarr"):
        assert (elsewhere / name).exists()


def test_a_consumer_sees_the_types_of_an_installed_wheel(elsewhere: Path) -> None:
    (elsewhere / "consumer.py").write_text(CONSUMER)
    (elsewhere / "wrong.py").write_text("import images\n\nmodel: int = images.load('mnist')\n")
    python = ["--python-executable", str(elsewhere / "env" / "bin" / "python")]
    mypy = [sys.executable, "-m", "mypy", "--strict", *python, "consumer.py", "wrong.py"]
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(mypy, cwd=elsewhere, env=own, capture_output=True, text=True)
    errors = [line for line in ran.stdout.splitlines() if ": error:" in line]
    assert len(errors) == 1 and "wrong.py:3" in errors[0] and "ImageModel" in errors[0], ran.stdout
