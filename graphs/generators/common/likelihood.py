"""The log-probability of graphs whose symmetry is broken by given numbers."""

from typing import Any

import torch
from torch import Tensor, nn

from graphs.data.batch import GraphBatch
from graphs.generators.common.refiner import GraphRefiner
from refine_core.noise import Noise


class LogProb(nn.Module):
    """Tokeniser and refiner as one function of graphs and names.

    Args:
        refiner: Whose tokeniser has `named(graphs, noise, name)`.
    """

    def __init__(self, refiner: GraphRefiner) -> None:
        super().__init__()
        self.refiner = refiner

    def forward(self, graphs: GraphBatch, name: Tensor) -> Tensor:
        """Log-probabilities (b,), large and negative where a graph is larger than any known.

        Args:
            graphs: b graphs.
            name: (b, n) numbers, one for each node.
        """
        tokens: Any = self.refiner.tokenizer
        noise = Noise(0, torch.arange(len(graphs)))
        trace = tokens.trace(tokens.named(graphs, noise, name))
        given = self.refiner.distributions(trace.states[:-1])
        each = [d.log_prob(code) for d, code in zip(given, trace.codes, strict=True)]
        return torch.stack(each).sum(0).nan_to_num(neginf=-1e4)
