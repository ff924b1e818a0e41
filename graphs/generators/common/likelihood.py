"""The log-probability of graphs as a function of the noise that breaks their symmetry."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from graphs.data.batch import GraphBatch
from graphs.generators.common.refiner import GraphRefiner
from refine_core.noise import Noise
from refine_core.tokenizer import Trace

TraceGraphs = Callable[[GraphBatch, Noise, Tensor], Trace[Any]]


class LogProb(nn.Module):
    """The log-probability of graphs, given the numbers that break their symmetry.

    Args:
        refiner: Gives the probabilities.
        trace: Codes of b graphs from noise and one number for each node, (b, n).
    """

    def __init__(self, refiner: GraphRefiner, trace: TraceGraphs) -> None:
        super().__init__()
        self.refiner, self.trace = refiner, trace

    def forward(
        self, graphs: GraphBatch, node_noise: Tensor, sites: Tensor | None = None
    ) -> Tensor:
        """Log-probabilities (b,), -10,000 where a graph is larger than the model knows.

        Args:
            graphs: b graphs.
            node_noise: (b, n) numbers, one for each node.
            sites: (b, n, n) of the graphs, where nodes are fragments.
        """
        graphs = graphs if sites is None else replace(graphs, sites=sites)
        trace = self.trace(graphs, Noise(0, torch.arange(len(graphs))), node_noise)
        dists = self.refiner.distributions(trace.states[:-1])
        each = [dist.log_prob(code) for dist, code in zip(dists, trace.codes, strict=True)]
        return torch.stack(each).sum(0).nan_to_num(neginf=-1e4)
