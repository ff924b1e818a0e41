from pathlib import Path

import numpy as np
import pytest
import torch

from graphs.data.batch import GraphBatch, Vocabulary
from graphs.data.store import GraphStore, collect, load, save
from refine_core.errors import InputError

VOCABULARY = Vocabulary(("C", "N", "O"), ("SINGLE", "DOUBLE"))


def dense(size: int, rng: np.random.Generator) -> GraphBatch:
    """One random graph of `size` nodes."""
    upper = np.triu(rng.integers(0, 3, (size, size)), 1)
    nodes = torch.from_numpy(rng.integers(0, 3, size))
    return GraphBatch(
        nodes[None], torch.from_numpy(upper + upper.T)[None], torch.ones(1, size, dtype=torch.bool)
    )


def stored(graphs: list[GraphBatch]) -> GraphStore:
    ends = [torch.nonzero(graph.edges[0].triu(1)).numpy() for graph in graphs]
    return collect(
        [graph.nodes[0].numpy() for graph in graphs],
        ends,
        [g.edges[0].numpy()[e[:, 0], e[:, 1]] for g, e in zip(graphs, ends, strict=True)],
        VOCABULARY,
        {"gap": np.arange(len(graphs))},
    )


@pytest.fixture
def graphs() -> list[GraphBatch]:
    rng = np.random.default_rng(0)
    return [dense(size, rng) for size in (3, 1, 7, 0, 5, 12)]


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [5, 5, 1], [3], [-1, 0], []])
def test_batch_holds_the_graphs_in_order_padded_with_zeros(
    graphs: list[GraphBatch], order: list[int], mapped: bool, tmp_path: Path
) -> None:
    store = stored(graphs)
    if mapped:
        save(store, tmp_path / "store.safetensors")
        store = load(tmp_path / "store.safetensors")
        assert store.vocabulary == VOCABULARY
    (batch,) = store[torch.tensor(order, dtype=torch.int64)]
    widest = max((graphs[k].nodes.shape[1] for k in order), default=0)
    assert batch.nodes.shape == (len(order), widest)
    assert (batch.nodes.dtype, batch.edges.dtype) == (torch.int64, torch.int64)
    for row, k in enumerate(order):
        n = graphs[k].nodes.shape[1]
        assert batch.valid[row].tolist() == [True] * n + [False] * (widest - n)
        assert torch.equal(batch.nodes[row, :n], graphs[k].nodes[0])
        assert torch.equal(batch.edges[row, :n, :n], graphs[k].edges[0])
        assert not batch.nodes[row, n:].any()
        assert not batch.edges[row, n:].any() and not batch.edges[row, :, n:].any()


def test_subset_of_a_subset_renumbers_everything(graphs: list[GraphBatch]) -> None:
    part = stored(graphs).subset(torch.tensor([5, 2, 0, 4])).subset(np.array([3, 1]))
    assert len(part) == 2 and part.sizes.tolist() == [5, 7]
    assert part.properties["gap"].tolist() == [4, 2]
    assert torch.equal(part[torch.tensor([1])][0].edges, graphs[2].edges)
    assert part.arrays is not None and part.vocabulary is VOCABULARY


def test_file_keeps_properties_and_report(graphs: list[GraphBatch], tmp_path: Path) -> None:
    store = stored(graphs)
    store = GraphStore(store.arrays, store.vocabulary, store.properties, {"kept": 6})
    save(store, tmp_path / "store.safetensors")
    again = load(tmp_path / "store.safetensors")
    assert again.report == {"kept": 6} and again.properties["gap"].dtype == np.float32
    assert again.properties["gap"].tolist() == [0, 1, 2, 3, 4, 5]
    assert torch.equal(again.sizes, torch.tensor([3, 1, 7, 0, 5, 12]))


def test_more_labels_and_nodes_than_a_byte_holds() -> None:
    names = tuple(str(k) for k in range(300))
    ends = np.array([[0, 299]])
    store = collect([np.arange(300)], [ends], [np.array([1])], Vocabulary(names))
    (batch,) = store[torch.tensor([0])]
    assert batch.nodes[0].tolist() == list(range(300)) and batch.edges[0, 299, 0] == 1


def test_graphs_without_text_say_so(graphs: list[GraphBatch]) -> None:
    with pytest.raises(InputError, match="no SMILES"):
        stored(graphs).smiles(0)
