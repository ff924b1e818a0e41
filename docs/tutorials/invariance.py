# %% [markdown]
# # Test your own network for invariance
#
# A network on graphs should not care how nodes are numbered, nor what stands in the padding of a
# batch. `graphs.invariance` tests that of any torch or PyTorch Geometric module, needs nothing but
# torch, and names the submodule that breaks it.
# %%
import torch
from torch import nn

from graphs.invariance import assert_permutation_equivariant, dense_example

batch = dense_example(dim=4)  # or your own (x, adjacency, valid)
print([tuple(each.shape) for each in batch])


# %% [markdown]
# ## A network that is right
# %%
class Layer(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.own, self.others = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, x, adjacency, valid):
        x = x * valid[..., None]
        return torch.tanh(self.own(x) + adjacency @ self.others(x)) * valid[..., None]


report = assert_permutation_equivariant(Layer(4), batch)
print("worst error:", report.absolute, "over", report.relabellings, "relabellings")


# %% [markdown]
# ## One that is not
#
# Positions are added to the nodes, as in a network of texts. The error says how far off the output is, on
# which small graph and which two nodes it shows, and where it begins.
# %%
class Position(nn.Module):
    def forward(self, x):
        return x + torch.arange(x.shape[1])[:, None] / 10


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.position, self.layer = Position(), Layer(4)

    def forward(self, x, adjacency, valid):
        return self.layer(self.position(x), adjacency, valid)


try:
    assert_permutation_equivariant(Model(), batch)
except AssertionError as error:
    print(error)


# %% [markdown]
# ## One that forgets the padding
#
# A mean over all rows counts those that are padding. Nothing is wrong with the order of nodes, and yet the
# result of a graph depends on the batch that it is in.
# %%
class Mean(nn.Module):
    def forward(self, x, adjacency, valid):
        return x - x.mean(1, keepdim=True)


try:
    assert_permutation_equivariant(Mean(), batch)
except AssertionError as error:
    print(error)
# %% [markdown]
# ## In a test
#
# Under `pytest -p graphs.invariance.plugin` the fixture `permutation_kit` holds these functions, and
# `pytest -v` ends with a table of errors:
#
# ```python
# def test_layer(permutation_kit):
#     permutation_kit.assert_permutation_equivariant(Layer(4), dense_example(dim=4))
# ```
#
# The law of a sampler is tested as well, by an exact randomisation test:
# [`assert_exchangeable`](../api/graphs.invariance.md#graphs.invariance.assert_exchangeable).
