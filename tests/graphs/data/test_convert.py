from pathlib import Path
from typing import Any

import networkx as nx
import pytest
import torch

from graphs.data.convert_networkx import from_networkx, to_networkx
from graphs.data.convert_pyg import from_pyg, to_pyg
from graphs.data.graphml import read_graphml, write_graphml
from graphs.data.store import GraphStore
from refine_core.errors import InputError

torch_geometric = pytest.importorskip("torch_geometric")


def labelled() -> "list[nx.Graph[Any]]":
    first: nx.Graph[Any] = nx.Graph()
    first.add_node("x", label="b")
    first.add_node("y", label="a")
    first.add_node("z", label="b")
    first.add_edge("z", "x", label="strong")
    first.add_edge("y", "z", label="weak")
    second: nx.Graph[Any] = nx.Graph()
    second.add_node(7, label="a")
    return [first, second]


def everything(store: GraphStore) -> tuple[torch.Tensor, ...]:
    (batch,) = store[torch.arange(len(store))]
    return batch.nodes, batch.edges, batch.valid


def test_networkx_labels_are_numbered_in_sorted_order() -> None:
    store = from_networkx(labelled())
    assert store.vocabulary.nodes == ("a", "b") and store.vocabulary.edges == ("strong", "weak")
    nodes, edges, valid = everything(store)
    assert nodes.tolist() == [[1, 0, 1], [0, 0, 0]]
    assert edges[0].tolist() == [[0, 0, 1], [0, 0, 2], [1, 2, 0]] and not edges[1].any()
    assert valid.tolist() == [[True] * 3, [True, False, False]]


def test_integer_labels_are_sorted_as_numbers() -> None:
    graph = nx.path_graph(3)
    nx.set_node_attributes(graph, {0: 10, 1: 9, 2: 100}, "kind")
    assert from_networkx([graph], label="kind").vocabulary.nodes == ("9", "10", "100")


@pytest.mark.parametrize("graphs", [labelled(), [nx.path_graph(4), nx.complete_graph(3)]])
def test_round_trips(graphs: "list[nx.Graph[Any]]", tmp_path: Path) -> None:
    store = from_networkx(graphs)
    (batch,) = store[torch.arange(2)]
    back = to_networkx(batch, store.vocabulary)
    for before, after in zip(graphs, back, strict=True):
        same = nx.utils.graphs_equal(nx.convert_node_labels_to_integers(before), after)
        assert same
    write_graphml(back, tmp_path / "folder")
    for again in (from_networkx(back), read_graphml(tmp_path / "folder")):
        assert again.vocabulary == store.vocabulary
        assert all(map(torch.equal, everything(again), everything(store)))
    pyg = from_pyg(to_pyg(batch))
    assert all(map(torch.equal, everything(pyg), everything(store)))


def test_what_is_no_label_is_a_property_or_named(caplog: pytest.LogCaptureFixture) -> None:
    from torch_geometric.data import Data

    graph: nx.Graph[Any] = nx.Graph(weight=2.5, origin="lab")
    graph.add_node(0, label="a", color="red")
    graph.add_node(1, label="b")
    graph.add_edge(0, 1, length=3.5)
    store = from_networkx([graph])
    assert store.properties["weight"].tolist() == [2.5]
    assert store.report["ignored"] == ["color of nodes", "length of edges", "origin of graphs"]
    assert "color of nodes, length of edges, origin of graphs" in caplog.text
    index = torch.tensor([[0, 1], [1, 0]])
    place = torch.rand(2, 3)
    few = [Data(edge_index=index, num_nodes=2, y=torch.tensor([v]), pos=place) for v in (1.0, 4.0)]
    store = from_pyg(few)
    assert store.properties["y"].tolist() == [1.0, 4.0]
    assert store.report["ignored"] == ["pos of graphs"]


def test_written_graphs_replace_those_of_before_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "new" / "out.graphml"
    for count in (12, 5):
        write_graphml([nx.path_graph(count)] * count, folder)
        assert sorted(int(path.stem) for path in folder.iterdir()) == list(range(count))
        assert read_graphml(folder).sizes.tolist() == [count] * count

    def full(graph: object, path: Path) -> None:
        path.write_text("<graph")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(nx, "write_graphml", full)
        with pytest.raises(OSError, match="No space"):
            write_graphml([nx.path_graph(2)], folder)
    assert read_graphml(folder).sizes.tolist() == [5] * 5
    assert list(folder.parent.iterdir()) == [folder]
    (folder / "notes.graphml").write_text("mine")
    with pytest.raises(
        InputError, match=r"out\.graphml holds notes\.graphml, expected nothing but"
    ):
        write_graphml([nx.path_graph(2)], folder)
    with pytest.raises(InputError, match=r"notes\.graphml is a file, expected a folder"):
        write_graphml([nx.path_graph(2)], folder / "notes.graphml")


def test_one_hot_and_whole_numbers_are_one() -> None:
    from torch_geometric.data import Data

    index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    kinds = torch.tensor([0, 0, 1, 1])
    x = torch.tensor([2, 0, 1])
    ways = [
        Data(x=x, edge_index=index, edge_attr=kinds),
        Data(x=x[:, None].float(), edge_index=index, edge_attr=kinds[:, None]),
        Data(x=torch.eye(3)[x], edge_index=index, edge_attr=torch.eye(2)[kinds]),
    ]
    expected, *others = [everything(from_pyg([graph])) for graph in ways]
    assert expected[0].tolist() == [[2, 0, 1]] and expected[1][0, 1].tolist() == [1, 0, 2]
    for other in others:
        assert all(map(torch.equal, other, expected))


def test_refused_graphs(tmp_path: Path) -> None:
    from torch_geometric.data import Data

    loop = nx.path_graph(2)
    loop.add_edge(0, 0)
    partly = nx.path_graph(2)
    partly.nodes[0]["label"] = "a"
    for graph, sentence in [
        (nx.MultiGraph([(0, 1), (0, 1)]), "parallel edges"),
        (loop, "loops"),
        (partly, "some nodes have a label and some do not"),
    ]:
        with pytest.raises(InputError, match=sentence):
            from_networkx([graph])
    with pytest.raises(InputError, match="no graphs"):
        from_networkx([])
    with pytest.raises(InputError, match="graph 1 is directed and those before are not"):
        from_networkx([nx.path_graph(2), nx.DiGraph([(0, 1)])])
    for twice in ([[0, 1, 0], [1, 0, 1]], [[0, 0], [1, 1]], [[0], [0]]):
        with pytest.raises(InputError, match="loops or parallel edges"):
            from_pyg([Data(edge_index=torch.tensor(twice), num_nodes=2)])
    with pytest.raises(InputError, match="x of graph 0 of shape"):
        from_pyg([Data(x=torch.rand(2, 3), edge_index=torch.tensor([[0, 1], [1, 0]]))])
    (tmp_path / "directed.graphml").write_text("<graphml")
    with pytest.raises(InputError, match="directed.graphml cannot be read as GraphML"):
        read_graphml(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        read_graphml(tmp_path / "nowhere.graphml")
