"""Models of a few molecules that have learnt nothing: enough for reports, and made at once."""

from pathlib import Path
from typing import Literal

import torch

from graphs.config import DataConfig, GraphsConfig, ModelConfig
from graphs.datasets.load import splits
from graphs.datasets.properties import Properties
from graphs.datasets.statistics import all_connected, batches, limits
from graphs.generators.build import build
from graphs.generators.common.valence import Support
from graphs.model import GraphModel

MOLECULES = ["CCO", "c1cc[nH]c1", "CC(N)=O", "CC#N", "c1ccccc1", "C[Sn](C)(C)C"]


def untrained(
    path: Path,
    texts: list[str] = MOLECULES,
    kind: Literal["contraction", "masked"] = "contraction",
    *,
    aromatic: bool = False,
) -> GraphModel:
    """A small model of molecules, which are written to `path`, a .smi file, four times each."""
    path.write_text("\n".join(texts * 4))
    settings = ModelConfig(kind=kind, dim=16, depth=1, heads=2)
    config = GraphsConfig(kind, 0, DataConfig(str(path), aromatic=aromatic), settings)
    store = splits(config.data, seed=0, quiet=True).train
    most, connected, sizes = limits(store), all_connected(store), tuple(store.sizes.bincount())
    support = Support.of(batches(store), store.vocabulary) if settings.bounded else None
    torch.manual_seed(0)
    refiner = build(
        settings,
        store.vocabulary,
        most,
        connected=connected,
        properties=0,
        support=support,
        sizes=tuple(map(int, sizes)),
    ).eval()
    return GraphModel(
        refiner,
        config,
        store.vocabulary,
        most,
        connected,
        Properties(),
        support,
        tuple(map(int, sizes)),
    )
