"""Graphs that contain a given part: it is always there, and the rest follows the model's law."""

from dataclasses import replace
from typing import Any

import networkx as nx
import pytest
import torch
from rdkit import Chem
from torch import Tensor

from graphs import model as trained
from graphs.chem.scores import scores
from graphs.chem.substructure import contain
from graphs.data.batch import GraphBatch, Vocabulary
from graphs.generators.common.statistics import GraphStatistics
from graphs.generators.contraction.counts.head import CountDistribution
from graphs.generators.contraction.counts.sampling import sample as sample_counts
from graphs.generators.contraction.refiner import ContractionRefiner
from graphs.generators.contraction.split.bounds import Demand
from graphs.generators.scaffold.sampler import extend
from graphs.generators.scaffold.scaffold import Scaffold
from graphs.invariance import assert_exchangeable
from graphs.model import GraphModel
from refine_core.errors import InputError
from refine_core.sampling.settings import Sampling
from tests.graphs.tiny import graph, names, refiner, to_networkx

RING = graph([0] * 6, [(i, (i + 1) % 6, 1 + i % 2) for i in range(6)])
PIECES = {
    "node": graph([1], []),
    "ring": RING,
    "two parts": graph([0, 1, 2, 0], [(0, 1, 1), (2, 3, 2)]),
    "triangle": graph([0, 1, 2], [(0, 1, 1), (1, 2, 1), (0, 2, 2)]),
}


def logp(smiles: str) -> float:
    return scores(smiles).properties["logp"]


def drawn(model: ContractionRefiner, piece: GraphBatch, count: int, **options: Any) -> GraphBatch:
    how: dict[str, Any] = {"particles": 1, "candidates": 12, "sampling": [Sampling()]}
    with torch.no_grad():
        return extend(model, Scaffold.of(piece), names(count), **how | options)


def holds(batch: GraphBatch, g: int, piece: GraphBatch) -> bool:
    """Whether a graph has the nodes and edges of a piece, with their labels."""

    def alike(a: dict[str, int], b: dict[str, int]) -> bool:
        return a["label"] == b["label"]

    whole, part = to_networkx(batch, g), to_networkx(piece, 0)
    match: Any = nx.algorithms.isomorphism.GraphMatcher(whole, part, alike, alike)
    return bool(match.subgraph_is_monomorphic())


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES.keys())
def test_the_scaffold_is_in_every_sample(piece: GraphBatch) -> None:
    batch = drawn(refiner(), piece, 15)
    for g in range(15):
        assert holds(batch, g, piece) and nx.is_connected(to_networkx(batch, g))
    assert len(batch.sizes.unique()) > 2


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES.keys())
def test_also_where_edges_are_no_tokens(piece: GraphBatch) -> None:
    batch = drawn(refiner(edge_tokens="none"), piece, 15)
    for g in range(15):
        assert holds(batch, g, piece) and nx.is_connected(to_networkx(batch, g))


def test_also_where_graphs_may_be_disconnected() -> None:
    batch = drawn(refiner(connected=False), RING, 15)
    assert all(holds(batch, g, RING) for g in range(15))


def test_samples_do_not_depend_on_the_batch() -> None:
    model = refiner()
    whole, few = (drawn(model, RING, count, particles=2) for count in (12, 5))
    for g in range(5):
        size = int(few.sizes[g])
        assert int(whole.sizes[g]) == size
        assert torch.equal(few.edges[g, :size, :size], whole.edges[g, :size, :size])


def test_shares_are_the_probability_of_meeting_a_demand() -> None:
    """The mean of exp(share) is the frequency with which free draws meet the demand."""
    model, count = refiner(), 8000
    tokens: Any = model.tokenizer
    state = tokens.start(count, names(count))
    with torch.no_grad():
        (dist,) = model.distributions([state])
    assert isinstance(dist, CountDistribution)
    demand = Demand.nothing(state.nodes[:, 0], state.inner[:, 0])
    least = torch.tensor([1, 1, 0]), torch.tensor([1, 0])
    nodes, inner = demand.nodes.clone(), demand.inner.clone()
    nodes[:, 0], inner[:, 0] = least
    demand = replace(demand, nodes=nodes, inner=inner)
    with torch.no_grad():
        free = dist.sample(names(count))[:, 0, :5]
        met, share = sample_counts(dist, names(count, seed=1), demand)
    assert bool((met[:, 0, :5] >= torch.cat(least)).all())
    frequency = (free >= torch.cat(least)).all(1).float().mean()
    assert 0.02 < frequency < 0.9
    assert abs(float(share[:, 0].exp().mean() - frequency)) < 0.01


def test_the_rest_follows_the_model() -> None:
    """With one node as scaffold, graphs come as often as the model's, times its occurrences."""
    model, node, count = refiner(), PIECES["node"], 200
    with torch.no_grad():
        free = model.sample(names(2000, seed=9))

    def labels(batch: GraphBatch) -> Tensor:
        return torch.stack([((batch.nodes == t) & batch.valid).sum(1) for t in range(3)], 1) + 0.0

    plain = labels(free)
    expected = (plain[:, 1:2] * plain).sum(0) / plain[:, 1].sum()
    found = labels(drawn(model, node, count, particles=8, candidates=4))
    error = 4 * found.std(0) / count**0.5
    assert bool(((found.mean(0) - expected).abs() < error).all())
    assert bool(((plain.mean(0) - expected).abs() > error).any())  # it does make a difference


def test_no_order_leaks() -> None:
    model, scaffold = refiner(), Scaffold.of(PIECES["triangle"])
    how: dict[str, Any] = {"sampling": [Sampling()], "particles": 1, "candidates": 4}

    def sample(seed: int) -> GraphBatch:
        with torch.no_grad():
            return extend(model, scaffold, names(300, seed), **how)

    assert_exchangeable(sample)


@pytest.fixture(scope="module")
def model() -> GraphModel:
    return trained.load("qm9")


@pytest.mark.parametrize(
    "smiles", ["c1ccccc1", "C1CO1", "[O-]C=O", "C.N", "*c1cc[nH]c1", "*C#N.*C1CC1", "*c1ccc(*)o1"]
)
def test_molecules_contain_it(model: GraphModel, smiles: str) -> None:
    batch = model.sample(6, scaffold=smiles, particles=4)
    piece = Scaffold.read(smiles, model.statistics).batch(1)
    assert all(holds(batch, g, piece) for g in range(6))
    made = model.smiles(batch)
    found = contain(made, smiles)
    assert any(found)
    assert all(there or text is None for there, text in zip(found, made, strict=True))


@pytest.mark.parametrize(
    ("smiles", "kept"),
    [("c1cc[nH]c1", "[nH]1cccc1"), ("CC(=O)[NH2]", "CC(=O)[NH2]"), ("C1[NH]C1", "C1[NH]C1")],
)
def test_written_hydrogens_are_kept(model: GraphModel, smiles: str, kept: str) -> None:
    pattern = Chem.MolFromSmarts(kept)
    batch = model.sample(20, scaffold=smiles, particles=4)
    made = [Chem.MolFromSmiles(text) for text in model.smiles(batch) if text]
    assert len(made) > 5 and all(each.HasSubstructMatch(pattern) for each in made)
    assert len({each.GetNumAtoms() for each in made}) > 1, "it goes on elsewhere"


def test_other_atoms_take_what_they_can(model: GraphModel) -> None:
    scaffold = Scaffold.read("C1[NH]CC1", model.statistics)
    assert scaffold.open is not None and not scaffold.exact
    assert sorted(scaffold.open[0, :4].tolist()) == [0, 2, 2, 2]
    assert Scaffold.read("C1NCC1", model.statistics).open is None
    chain = Scaffold.read("[NH2]CC", model.statistics).open
    assert chain is not None and sorted(chain[:, 0].tolist()) == [-1, -1, 0]


def test_properties_are_asked_for_beside_it() -> None:
    model = trained.load("qm9_properties")
    low, high = (
        model.smiles(model.sample(30, scaffold="c1cc[nH]c1", where={"logp": wanted}, guidance=2.0))
        for wanted in (-0.5, 2.0)
    )
    means = [sum(map(logp, filter(None, texts))) / len(texts) for texts in (low, high)]
    assert means[1] > means[0] + 0.5


def test_a_scaffold_that_cannot_be_gets_a_sentence(model: GraphModel) -> None:
    cases = {
        "[SiH4]": "it has Si, outside the vocabulary",
        "C" * 400: "it has 400 atoms, more than the 9 allowed",
        "C" * 10: "it has 10 atoms, more than the 9 allowed",
        "C(C)(C)(C)(C)C": "Explicit valence",
        "C(C": "it is not a SMILES",
        "C=*": "not at the end of one single bond",
        "C*C": "not at the end of one single bond",
        "**": "not at the end of one single bond",
        "*[SiH3]": r"'\*\[SiH3\]' cannot be used: it has Si, outside the vocabulary",
        "": "it has no atoms",
    }
    for smiles, said in cases.items():
        with pytest.raises(InputError, match=said):
            model.sample(1, scaffold=smiles)
    unnamed = replace(model.vocabulary, nodes=("",))
    loose = replace(model, statistics=replace(model.statistics, vocabulary=unnamed))
    with pytest.raises(InputError, match="give a scaffold as a graph"):
        loose.sample(1, scaffold="CC")


def test_wrong_scaffolds_are_refused(model: GraphModel) -> None:
    pair, none = (
        model.sample(2),
        GraphBatch(*(x[:, :0] for x in (RING.nodes, RING.edges, RING.valid))),
    )
    gap = GraphBatch(RING.nodes, RING.edges, RING.valid & (torch.arange(6) != 2))
    for given, expected in (
        (pair, "Found 2 graphs of"),
        (none, "expected one graph of one node or more"),
        (gap, "Found padding between the nodes"),
        (graph([0, 10_000], [(0, 1, 1)]), "labels outside of the vocabulary"),
        (5, "Found the scaffold 5, expected SMILES"),
    ):
        with pytest.raises(InputError, match=expected):
            model.sample(1, scaffold=given)  # type: ignore[arg-type]


def test_smiles_leave_open_which_hydrogens_may_go() -> None:
    statistics = GraphStatistics(Vocabulary(("C", "H"), ("SINGLE",)), (2, 6, 7))
    with pytest.raises(InputError, match="whose hydrogens are atoms"):
        Scaffold.read("CC", statistics)
