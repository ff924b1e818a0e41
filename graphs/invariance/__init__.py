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

`assert_permutation_invariant` asserts the same of what is pooled over nodes, and
`assert_exchangeable` of the law of a sampler. `check_model` prints a table of several checks.
Under `pytest -p graphs.invariance.plugin` the fixture `permutation_kit` offers all of these, and
`pytest -v` ends with such a table.
"""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from graphs.invariance.equivariance import (
        assert_permutation_equivariant as assert_permutation_equivariant,
    )
    from graphs.invariance.equivariance import (
        assert_permutation_invariant as assert_permutation_invariant,
    )
    from graphs.invariance.examples import dense_example as dense_example
    from graphs.invariance.examples import graph_example as graph_example
    from graphs.invariance.examples import pyg_example as pyg_example
    from graphs.invariance.exchangeability import Exchangeability as Exchangeability
    from graphs.invariance.exchangeability import ExchangeabilityError as ExchangeabilityError
    from graphs.invariance.exchangeability import UndecidedError as UndecidedError
    from graphs.invariance.exchangeability import assert_exchangeable as assert_exchangeable
    from graphs.invariance.exchangeability import exchangeability_test as exchangeability_test
    from graphs.invariance.report import Check as Check
    from graphs.invariance.report import Counterexample as Counterexample
    from graphs.invariance.report import Finding as Finding
    from graphs.invariance.report import PermutationError as PermutationError
    from graphs.invariance.report import Report as Report
    from graphs.invariance.report import check_model as check_model
    from graphs.invariance.report import check_table as check_table
    from graphs.invariance.report import run_checks as run_checks
    from graphs.invariance.report import say_checks as say_checks
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
