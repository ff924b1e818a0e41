"""Small random graphs and untrained models of every kind, for laws."""

from dataclasses import replace
from typing import Any

import networkx as nx
import torch
from torch import Tensor

from graphs.config import GraphsConfig
from graphs.data.batch import GraphBatch, Vocabulary
from graphs.generators.common.config import SamplingConfig
from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.common.statistics import GraphStatistics
from graphs.generators.common.valence import ValenceLimits
from graphs.generators.config import ModelConfig
from graphs.generators.contraction.config import ContractionConfig
from graphs.generators.contraction.refiner import ContractionRefiner
from graphs.generators.kinds import kind_of
from graphs.model import GraphModel
from refine_core.noise import Noise

VOCABULARY = Vocabulary(("C", "N", "O"), ("SINGLE", "DOUBLE"))
SIZES = (0, 0, 2, 2, 5, 3, 2)
STATISTICS = GraphStatistics(VOCABULARY, (6, 6, 6, 9, 9), sizes=SIZES)
LIMITS = ValenceLimits((8, 6, 4), (2, 4))
PLAIN = GraphStatistics(Vocabulary(), (6, 9), sizes=SIZES)
SMALL: dict[str, Any] = {"dim": 16, "depth": 2, "heads": 2}


def graphs(count: int, n: int, *, connected: bool = True, seed: int = 0) -> GraphBatch:
    """Random trees with a few more edges, of 1 to n nodes; or with edges missing."""
    generator = torch.Generator().manual_seed(seed)

    def draw(high: int) -> int:
        return int(torch.randint(high, (1,), generator=generator))

    nodes, edges = torch.zeros(count, n).long(), torch.zeros(count, n, n).long()
    valid = torch.zeros(count, n).bool()
    for g in range(count):
        size = 1 + draw(n)
        valid[g, :size] = True
        nodes[g, :size] = torch.randint(3, (size,), generator=generator)
        pairs = [(i, draw(i)) for i in range(1, size)]
        pairs += [(draw(size), draw(size)) for _ in range(size // 3)]
        for i, j in pairs:
            if i != j and (connected or draw(3)):
                edges[g, i, j] = edges[g, j, i] = 1 + draw(2)
    return GraphBatch(nodes, edges, valid)


def graph(nodes: list[int], edges: list[tuple[int, int, int]]) -> GraphBatch:
    """One graph, of edges (i, j, label from 1)."""
    made = torch.zeros(1, len(nodes), len(nodes), dtype=torch.int64)
    for i, j, label in edges:
        made[0, i, j] = made[0, j, i] = label
    return GraphBatch(torch.tensor([nodes]), made, torch.ones(1, len(nodes)).bool())


def to_networkx(batch: GraphBatch, g: int) -> "nx.Graph[int]":
    graph: nx.Graph[int] = nx.Graph()
    real = torch.nonzero(batch.valid[g])[:, 0].tolist()
    graph.add_nodes_from((i, {"label": int(batch.nodes[g, i])}) for i in real)
    for i, j in torch.nonzero(torch.triu(batch.edges[g], 1)).tolist():
        graph.add_edge(i, j, label=int(batch.edges[g, i, j]))
    return graph


def same(a: "nx.Graph[int]", b: "nx.Graph[int]") -> bool:
    def alike(x: dict[str, int], y: dict[str, int]) -> bool:
        return x["label"] == y["label"]

    return nx.is_isomorphic(a, b, node_match=alike, edge_match=alike)


def refiner(
    *,
    connected: bool = True,
    properties: int = 0,
    **options: Any,
) -> ContractionRefiner:
    """A contraction without valence limits; options as of `ContractionConfig`."""
    config = ContractionConfig(**SMALL, **options)
    statistics = replace(STATISTICS, connected=connected)
    made = untrained(config, statistics, properties, 0.05)
    assert isinstance(made, ContractionRefiner)
    return made


def untrained(
    config: ModelConfig, statistics: GraphStatistics, properties: int = 0, spread: float = 0.1
) -> GraphRefiner:
    """A refiner in evaluation mode with random weights."""
    torch.manual_seed(0)
    made = kind_of(config).build(statistics, properties)
    for parameter in made.parameters():  # gates of zero would hide most of the network
        parameter.data.add_(spread * torch.randn(parameter.shape))
    return made.eval()


def model(
    config: ModelConfig, statistics: GraphStatistics = STATISTICS, **sampling: Any
) -> GraphModel:
    """An untrained model; `sampling` as of `SamplingConfig`."""
    whole = GraphsConfig(model=config, sampling=SamplingConfig(**sampling))
    return GraphModel(untrained(config, statistics), whole, statistics)


def plain(batch: GraphBatch) -> GraphBatch:
    """The same graphs without labels."""
    return GraphBatch(batch.nodes * 0, (batch.edges > 0).long(), batch.valid)


def equal(a: GraphBatch, b: GraphBatch) -> bool:
    return all(torch.equal(x, y) for x, y in ((a.nodes, b.nodes), (a.edges, b.edges)))


def names(count: int, seed: int = 0) -> Noise:
    return Noise(seed, torch.arange(count))


class Relabelled(Noise):
    """Noise whose number per node goes along with a relabelling (b, n) of the nodes."""

    def __init__(self, noise: Noise, order: Tensor) -> None:
        super().__init__(noise.seed, noise.index)
        self.order = order

    def uniform(self, stream: int, *shape: int, start: int = 0) -> Tensor:
        drawn = super().uniform(stream, *shape, start=start)
        return drawn.gather(1, self.order) if stream == 0 else drawn
