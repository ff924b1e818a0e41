"""Laws of where bonds end at fragments."""

import itertools
from dataclasses import replace

import pytest
import torch

from graphs.chem import ParseOptions, collect_molecules, to_smiles, with_mined
from graphs.chem.properties import property_values
from graphs.chem.substructure import contain
from graphs.data.fragments import canonical
from graphs.generators.common.statistics import GraphStatistics
from graphs.generators.contraction.attachment.ends import Attachments
from graphs.generators.contraction.attachment.head import AttachmentDistribution, _demanded
from graphs.generators.contraction.config import ContractionConfig
from graphs.generators.contraction.refiner import ContractionRefiner
from graphs.generators.contraction.state.partition import Partition
from graphs.generators.contraction.symmetry import symmetry_checks
from graphs.generators.scaffold.request import ScaffoldRequest
from graphs.generators.scaffold.sampler import extend
from refine_core.noise import Noise
from refine_core.sampling.settings import Sampling
from tests.graphs.tiny import SMALL, Relabelled, names, untrained

TEXTS = [
    "Cc1ccccc1O",
    "Cc1ccc(F)cc1",
    "CC(=O)c1ccncc1C",
    "CS(=O)(=O)N1CCNCC1",
    "CC#CCO",
    "CS(=O)(=O)NC",
    "c1ccccc1",
    "Fc1cc(Cl)c(C)c(O)c1",
]
OPTIONS = with_mined(TEXTS, ParseOptions(mined=20), quiet=True)
STORE = collect_molecules(TEXTS, OPTIONS, quiet=True).store
GRAPHS = STORE[torch.arange(len(TEXTS))][0]
STATISTICS = GraphStatistics.of(STORE)


@pytest.fixture(scope="module")
def model() -> ContractionRefiner:
    config = ContractionConfig(**SMALL, edge_tokens="none", matching="rings")
    # Nothing is learnt, so most samples would be larger than the largest of so few molecules.
    made = untrained(config, replace(STATISTICS, largest=None))
    assert isinstance(made, ContractionRefiner)
    return made


def last(model: ContractionRefiner) -> tuple[Partition, torch.Tensor]:
    """The state before the last scale, and its code."""
    tokens = model.tokenizer
    trace = tokens.trace(tokens.features(GRAPHS, names(len(TEXTS))))
    return trace.states[-2], trace.codes[-1]


def test_the_largest_molecule_is_known_by_its_atoms() -> None:
    assert STATISTICS.largest == property_values(TEXTS, ["atoms"])["atoms"].max()
    limit = STATISTICS.size_limit
    assert limit is not None and limit.of_label[STORE.vocabulary.nodes.index("c1ccccc1")] == 6


def test_molecules_come_back(model: ContractionRefiner) -> None:
    tokens = model.tokenizer
    trace = tokens.trace(tokens.features(GRAPHS, names(len(TEXTS))))
    assert trace.states[-2].attaching and not trace.states[-1].attaching
    found = to_smiles(tokens.finish(trace.states[-1]), STORE.vocabulary)
    assert found == [STORE.smiles(i) for i in range(len(TEXTS))]


@torch.no_grad()
def test_the_law_is_one(model: ContractionRefiner) -> None:
    """Over all sequences of sites at the ring of the first molecule."""
    state, code = last(model)
    dist = model.head(hidden(model, state), state, 0)
    assert isinstance(dist, AttachmentDistribution)
    ends = Attachments.of(state, dist.head.tables.choice)
    mine = (ends.graph == 0).nonzero()[:, 0]
    total, m = 0.0, state.valid.shape[1]
    for sites in itertools.product(range(dist.head.sites), repeat=len(mine)):
        other = code.clone()
        for k, site in zip(mine.tolist(), sites, strict=True):
            other[0, m + ends.slot[k], ends.side[k]] = site
        total += float(dist.log_prob(other)[0].exp())
    assert total == pytest.approx(1, abs=1e-4)


@torch.no_grad()
def test_samples_are_what_the_law_allows(model: ContractionRefiner) -> None:
    state, _ = last(model)
    dist = model.head(hidden(model, state), state, 0)
    for seed in range(5):
        code = dist.sample(Noise(seed, torch.arange(len(TEXTS))))
        assert bool(dist.log_prob(code).isfinite().all())
        after = model.tokenizer.add(state, code, 0)
        smiles = to_smiles(model.tokenizer.finish(after), STORE.vocabulary)
        assert None not in smiles
    still = dist.sharpened(temperature=0.0)
    assert torch.equal(still.sample(names(len(TEXTS))), still.sample(names(len(TEXTS), seed=1)))


def hidden(model: ContractionRefiner, state: Partition) -> torch.Tensor:
    part = model.tokens(state, 0, None)
    made: torch.Tensor = model.transformer(part)
    return made


@torch.no_grad()
def test_relabelling_nodes_and_turning_fragments_changes_nothing(
    model: ContractionRefiner,
) -> None:
    count, n = GRAPHS.nodes.shape
    order, noise = torch.rand(count, n).argsort(1), names(count)
    plain = model.code_log_prob(GRAPHS, noise=noise)
    moved = model.code_log_prob(GRAPHS.permute(order), noise=Relabelled(noise, order))
    assert torch.allclose(plain, moved, atol=1e-4)
    symmetries = model.tokenizer.fragments
    assert symmetries is not None and GRAPHS.sites is not None
    turn = symmetries.symmetries[GRAPHS.nodes][:, :, -1]
    turned = type(GRAPHS)(
        GRAPHS.nodes,
        GRAPHS.edges,
        GRAPHS.valid,
        turn.gather(2, GRAPHS.sites) * (GRAPHS.edges > 0),
    )
    assert not torch.equal(turned.sites, GRAPHS.sites)  # type: ignore[arg-type]
    assert torch.allclose(plain, model.code_log_prob(turned, noise=noise), atol=1e-4)


@torch.no_grad()
def test_padding_changes_nothing(model: ContractionRefiner) -> None:
    small = torch.tensor([0, 4])
    assert GRAPHS.sizes[small].max() < GRAPHS.nodes.shape[1]
    plain = model.code_log_prob(GRAPHS, noise=names(len(TEXTS)))[small].sum(1)
    alone = model.code_log_prob(GRAPHS[small], noise=Noise(names(1).seed, small)).sum(1)
    assert plain.isfinite().all() and torch.allclose(plain, alone, atol=1e-4)
    for _, check in symmetry_checks(model, GRAPHS, seed=0):
        check()


@torch.no_grad()
def test_a_sample_does_not_depend_on_its_batch(model: ContractionRefiner) -> None:
    whole = to_smiles(model.sample(Noise(5, torch.arange(12))), STORE.vocabulary)
    for part in torch.arange(12).split(5):
        found = to_smiles(model.sample(Noise(5, part)), STORE.vocabulary)
        assert found == [whole[k] for k in part.tolist()]


@torch.no_grad()
@pytest.mark.parametrize("scaffold", ["Cc1ccccc1O", "Cc1cccc(O)c1", "c1ccncc1", "CS(=O)(=O)N"])
def test_scaffolds_are_kept_where_they_are_bonded(
    model: ContractionRefiner, scaffold: str
) -> None:
    request = ScaffoldRequest.of(scaffold, model, STATISTICS)
    graphs = extend(model, request.scaffold, names(30), sampling=[Sampling()], particles=1)
    smiles = [text for text in to_smiles(graphs, STORE.vocabulary) if text]
    assert len(smiles) > 10 and all(contain(smiles, scaffold))


def test_canonical_sites_are_those_of_all_alike() -> None:
    generator = torch.Generator().manual_seed(0)
    turns = torch.tensor([[(i + s) % 4 for i in range(4)] for s in range(4)])[None]
    sites = torch.randint(4, (50, 3), generator=generator)
    real = torch.ones(50, 3).bool()
    least = canonical(sites, real, turns.expand(50, 4, 4))
    for s in range(4):
        assert torch.equal(canonical((sites + s) % 4, real, turns.expand(50, 4, 4)), least)
    assert bool((least[:, 0] == 0).all())


@torch.no_grad()
@pytest.mark.parametrize(
    "scaffold", ["*c1ccccc1", "*c1ccccc1*", "*c1cc(*)ccc1O", "*C(=O)c1ccncc1", "*c1ccccc1.*C=O"]
)
def test_scaffolds_are_closed_but_for_their_attachment_points(
    model: ContractionRefiner, scaffold: str
) -> None:
    request = ScaffoldRequest.of(scaffold, model, STATISTICS)
    graphs = request.sample(names(30), None, [Sampling()], particles=4)
    smiles = [text for text in to_smiles(graphs, STORE.vocabulary) if text]
    found = contain(smiles, scaffold)
    print(scaffold, len(smiles), sum(found), smiles[:6])
    assert len(smiles) > 10 and all(found)


def test_demands_on_sites_are_turned_together() -> None:
    turns = torch.tensor([[(s * i + t) % 6 for i in range(6)] for s in (1, 5) for t in range(6)])
    symmetries = turns.expand(2, 12, 6)
    free = torch.ones(2, 6).long()
    # A ring with an edge at site 4, open at 0 and 5: meta and ortho to it. And one that is free.
    forced = torch.tensor([[4, -1, -1], [3, -1, -1]])
    open_ = torch.tensor([[1, 0, 0, 0, 0, 1], [-1] * 6])
    sites, takes, alive = _demanded(forced, open_, free, symmetries)
    assert sites.tolist() == [[0, -1, -1], [0, -1, -1]]
    assert takes.tolist() == [[1, 1, 1, 0, 0, 0], [1] * 6]
    assert alive.sum(1).tolist() == [2, 12]
