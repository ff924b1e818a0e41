"""Models of a few molecules that have learnt nothing: enough for reports, and made at once."""

from pathlib import Path

import torch

from graphs.config import GraphsConfig
from graphs.datasets.config import DataConfig
from graphs.datasets.load import load_splits
from graphs.generators.common.statistics import GraphStatistics
from graphs.generators.contraction.config import ContractionConfig
from graphs.generators.kinds import kind_of
from graphs.generators.masked.config import MaskedConfig
from graphs.model import GraphModel

MOLECULES = ["CCO", "c1cc[nH]c1", "CC(N)=O", "CC#N", "c1ccccc1", "C[Sn](C)(C)C"]
CONFIGS = {"contraction": ContractionConfig, "masked": MaskedConfig}


def untrained(
    path: Path,
    texts: list[str] = MOLECULES,
    kind: str = "contraction",
    *,
    aromatic: bool = False,
) -> GraphModel:
    """A small model of molecules, which are written to `path`, a .smi file, four times each."""
    path.write_text("\n".join(texts * 4))
    settings = CONFIGS[kind](dim=16, depth=1, heads=2)
    config = GraphsConfig(kind, 0, DataConfig(str(path), aromatic=aromatic), settings)
    statistics = GraphStatistics.of(load_splits(config.data, seed=0, quiet=True).train)
    torch.manual_seed(0)
    return GraphModel(kind_of(settings).build(statistics).eval(), config, statistics)
