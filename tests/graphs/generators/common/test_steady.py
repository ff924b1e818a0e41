"""Rounding counts of rows changes no result."""

import pytest
import torch
from torch import nn

from graphs.generators.common.steady import by_rows, rounded


def test_counts_are_few_and_close() -> None:
    counts = [rounded(rows) for rows in range(1, 5000)]
    assert all(rows <= count <= max(16, 1.25 * rows) + 15 for rows, count in enumerate(counts, 1))
    assert len(set(counts)) < 36
    assert counts == sorted(counts)


@pytest.mark.parametrize("rows", [0, 1, 16, 37])
def test_rows_and_gradients_are_those_of_the_network(rows: int) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 8), nn.GELU(), nn.Linear(8, 3))
    x = torch.randn(rows, 2, 5, requires_grad=True)
    weight = torch.randn(rows, 2, 3)
    found = []
    for half in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            made = by_rows(network, x)
        network.zero_grad()
        (grad,) = torch.autograd.grad((made.float() * weight).sum(), x, retain_graph=True)
        (made.float() * weight).sum().backward()
        own = [p.grad.clone() for p in network.parameters() if p.grad is not None]
        found.append((made.float().detach(), grad, *own))
        x.grad = None
    for whole, half_precision in zip(*found, strict=True):
        torch.testing.assert_close(whole, half_precision, atol=0.1, rtol=0.05)
