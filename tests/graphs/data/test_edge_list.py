"""Edges as lists."""

import pytest
import torch

from graphs.data.edge_list import sparse_product


def test_sparse_matrices_have_the_same_products(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    sparse = torch.rand(3, 20, 20, generator=generator) < 0.1
    table = torch.randint(9, (3, 20, 5), generator=generator).float()
    dense = [sparse_product(each, table) for each in (sparse, 2.0 * sparse)]
    monkeypatch.setattr("graphs.data.edge_list.SPARSE", 1)
    for each, expected in zip((sparse, 2.0 * sparse), dense, strict=True):
        assert torch.equal(sparse_product(each, table), expected)
