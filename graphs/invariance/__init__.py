"""A test kit for permutation equivariance, for any torch or PyTorch Geometric model.

Does a module treat the nodes of a graph as a set? Relabel them, move the padding and refill it:

>>> import torch
>>> from torch import nn
>>> from graphs.invariance import assert_permutation_equivariant, dense_example
>>> class Sum(nn.Module):
...     def forward(self, x, adjacency, valid):
...         return adjacency @ (x * valid[:, :, None])
>>> batch = dense_example(dim=4)  # or your own (x, adjacency, valid), GraphBatch or PyG Batch
>>> assert_permutation_equivariant(Sum(), batch).absolute < 1e-5
True

If it does not, the error says how far off it is, on which small graph which two nodes have to
be swapped to see it, and which submodule is the first to break:

>>> class Position(nn.Module):
...     def forward(self, x):
...         return x + torch.arange(x.shape[1])[:, None]
>>> class Model(nn.Module):
...     def __init__(self):
...         super().__init__()
...         self.position, self.sum = Position(), Sum()
...     def forward(self, x, adjacency, valid):
...         return self.sum(self.position(x), adjacency, valid)
>>> try:
...     assert_permutation_equivariant(Model(), batch)
... except AssertionError as failure:
...     print(str(failure).splitlines()[-1])
First broken: 'position' (Position).

What is pooled over nodes is asserted with `assert_permutation_invariant`; the law of what a
sampler draws with `assert_exchangeable`. Under pytest, the fixture `permutation_kit` offers all of
these, and `pytest -v` ends with a table of the errors found. `check_model` prints such a table.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphs.invariance.checks import (
        assert_permutation_equivariant,
        assert_permutation_invariant,
    )
    from graphs.invariance.examples import dense_example, graph_example, pyg_example
    from graphs.invariance.exchangeability import (
        Exchangeability,
        ExchangeabilityError,
        assert_exchangeable,
        exchangeability_test,
    )
    from graphs.invariance.report import Breakage, PermutationError, Report
    from graphs.invariance.tables import Check, check_model, table

# Imported on first use: pytest loads its plugins, and so this package, in every session.
_HOMES = {
    "checks": ("assert_permutation_equivariant", "assert_permutation_invariant"),
    "examples": ("dense_example", "graph_example", "pyg_example"),
    "exchangeability": (
        "Exchangeability",
        "ExchangeabilityError",
        "assert_exchangeable",
        "exchangeability_test",
    ),
    "report": ("Breakage", "PermutationError", "Report"),
    "tables": ("Check", "check_model", "table"),
}

__all__ = [
    "Breakage",
    "Check",
    "Exchangeability",
    "ExchangeabilityError",
    "PermutationError",
    "Report",
    "assert_exchangeable",
    "assert_permutation_equivariant",
    "assert_permutation_invariant",
    "check_model",
    "dense_example",
    "exchangeability_test",
    "graph_example",
    "pyg_example",
    "table",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
