"""Models of a few molecules, trained once for all tests of graphs."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from graphs import training
from graphs.config import GraphsConfig
from graphs.datasets.config import DataConfig
from graphs.generators.contraction.config import ContractionConfig
from graphs.model import GraphModel
from refine_core.training.config import Optimisation

MOLECULES = ["CCO", "c1ccccc1", "CC(N)=O", "N#CC1CC1O", "CC#N", "C=CCO", "CCF", "OCC1CC1"]


@pytest.fixture(autouse=True, scope="session")
def few_validated() -> Iterator[None]:
    """Measure few graphs after an epoch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "VALIDATED", 16)
        patch.setattr(training, "VALIDATED_NODES", 160)
        yield


@dataclass(frozen=True)
class Trained:
    """Two trained models, in a folder with their data and runs.

    Args:
        folder: With molecules.csv, whose column `length` misses a value, `cache` and `runs`.
        plain: Takes no property; its run is `runs/plain`.
        conditioned: Takes `length` and `logp`; its run is `runs/length-logp`.
    """

    folder: Path
    plain: GraphModel
    conditioned: GraphModel


def settings(folder: Path, *properties: str, start_from: str | None = None) -> GraphsConfig:
    """One epoch on the molecules of `Trained.folder`."""
    model = ContractionConfig(
        dim=16,
        depth=1,
        heads=2,
        start_from=start_from,
        training=Optimisation(epochs=1, batch=16),
    )
    data = DataConfig(source=str(folder / "molecules.csv"), properties=properties)
    return GraphsConfig(name="-".join(properties) or "plain", data=data, model=model)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("trained")
    rows = [f"{text},{len(text)}" for text in MOLECULES * 8]
    (folder / "molecules.csv").write_text("\n".join(["smiles,length", "CO,", *rows]) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        plain, conditioned = (
            training.train(settings(folder, *names), folder / "runs", quiet=True)
            for names in ((), ("length", "logp"))
        )
    return Trained(folder, plain, conditioned)
