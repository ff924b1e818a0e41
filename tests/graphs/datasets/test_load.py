"""From a config to the parts of a data set, and what is refused."""

import networkx as nx
import numpy as np
import pytest
import torch

from graphs.chem import ParseOptions, collect_molecules
from graphs.data.convert_networkx import from_networkx
from graphs.datasets import statistics
from graphs.datasets.config import DataConfig
from graphs.datasets.load import load_splits
from refine_core.errors import InputError


def test_a_subset_is_part_of_the_training_graphs() -> None:
    whole = load_splits(DataConfig(source="tree", count=30))
    some = load_splits(DataConfig(source="tree", count=30, subset=5))
    assert len(some.train) == 5 and len(some.test) == len(whole.test)
    assert some.train.rows is not None and whole.train.rows is not None
    assert set(some.train.rows.tolist()) < set(whole.train.rows.tolist())


def test_a_subset_larger_than_the_data_is_refused() -> None:
    with pytest.raises(InputError, match="Found data.subset 20, but tree has 19 training graphs"):
        load_splits(DataConfig(source="tree", count=30, subset=20))


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_graphs_are_refused(count: int) -> None:
    store = from_networkx([nx.path_graph(3)] * count)
    with pytest.raises(InputError, match=f"the store has {count} graphs, .* give more graphs"):
        load_splits(DataConfig(), store=store)
    with pytest.raises(InputError, match=f"tree has {count} graphs, .* give more graphs"):
        load_splits(DataConfig(source="tree", count=count))


def test_graphs_without_nodes_are_refused() -> None:
    store = from_networkx([nx.path_graph(3)] * 8 + [nx.Graph()])
    with pytest.raises(InputError, match="the store has 1 graphs without nodes"):
        load_splits(DataConfig(), store=store)
    with pytest.raises(InputError, match="there are no graphs"):
        from_networkx([])


def test_equal_molecules_of_a_store_are_in_one_part() -> None:
    smiles = ["C" * n for n in range(1, 11)] * 5
    store = collect_molecules(smiles, ParseOptions(), workers=1, quiet=True).store
    parts = load_splits(DataConfig(), store=store)
    train, validation, test = (
        set(part.text(torch.arange(len(part))))
        for part in (parts.train, parts.validation, parts.test)
    )
    assert len(train) == 8 and len(validation) == len(test) == 1
    assert not train & validation | train & test | validation & test


def test_large_graphs_are_gathered_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    store = from_networkx([nx.path_graph(n) for n in (30, 3, 4, 5, 2, 6)])
    monkeypatch.setattr(statistics, "PAIRS", 2 * 30**2)
    assert [len(part) for part in statistics.batches(store)] == [2, 2, 2]
    assert statistics.max_counts(store) == (30, 29)
    monkeypatch.setattr(statistics, "PAIRS", 1)
    assert len(list(statistics.batches(store))) == 6


def test_a_store_of_other_edges_is_another() -> None:
    ortho, meta = (
        collect_molecules([text], options, workers=1, quiet=True).store
        for options in [ParseOptions(fragments=("c1ccccc1",))]
        for text in ("Cc1ccccc1C", "Cc1cccc(C)c1")
    )
    assert np.array_equal(ortho.arrays.nodes, meta.arrays.nodes)
    assert ortho.digest() != meta.digest()
