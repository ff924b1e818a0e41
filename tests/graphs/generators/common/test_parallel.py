"""The choice of the clusters that split in one call."""

import torch

from graphs.generators.common.parallel import choose


def test_neighbours_of_equal_rank_do_not_wait_for_each_other_forever() -> None:
    sizes = torch.tensor([[5, 5, 2]])
    joined = ~torch.eye(3, dtype=torch.bool)[None]
    equal = torch.tensor([[0.5, 0.5, 0.5]])
    assert choose(sizes, joined, equal).sum() == 1
    # Numbers that differ, but not once a size has been added in single precision.
    near = torch.tensor([[0.5, 0.5 + 2.0**-24, 0.5]])
    assert float(sizes[0, 0] + near[0, 0]) == float(sizes[0, 1] + near[0, 1])
    assert choose(sizes, joined, near)[0].tolist() == [False, True, False]
