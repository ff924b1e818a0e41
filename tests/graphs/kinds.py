"""Untrained models of every kind."""

import torch

from graphs.config import GraphsConfig, ModelConfig, SamplingConfig
from graphs.data.batch import GraphBatch
from graphs.datasets.properties import Properties
from graphs.generators.build import build
from graphs.generators.common.valence import Support
from graphs.model import GraphModel
from tests.graphs import tiny

SIZES = (0, 0, 2, 2, 5, 3, 2)


def model(kind: str, **options: object) -> GraphModel:
    torch.manual_seed(0)
    settings = ModelConfig(kind=kind, dim=16, depth=2, heads=2, **options)  # type: ignore[arg-type]
    support = Support((8, 6, 4), (2, 4))
    refiner = build(settings, tiny.VOCABULARY, tiny.LIMITS, support=support, sizes=SIZES)
    for parameter in refiner.parameters():  # gates of zero would hide most of it
        parameter.data.add_(0.1 * torch.randn(parameter.shape))
    config = GraphsConfig(model=settings, sampling=SamplingConfig(calls=6))
    return GraphModel(
        refiner.eval(), config, tiny.VOCABULARY, tiny.LIMITS, False, Properties(), support, SIZES
    )


def equal(a: GraphBatch, b: GraphBatch) -> bool:
    return all(torch.equal(x, y) for x, y in ((a.nodes, b.nodes), (a.edges, b.edges)))
