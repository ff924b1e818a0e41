"""From a config to the parts of a data set, and what is refused."""

import networkx as nx
import pytest

from graphs.data.convert_networkx import from_networkx
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
