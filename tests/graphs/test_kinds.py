"""Laws of the other kinds of models: masked diffusion and the latent pyramid."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import torch

from graphs import trained
from graphs.config import DataConfig, GraphsConfig, LatentConfig, ModelConfig, SamplingConfig
from graphs.data import Properties
from graphs.graph import GraphBatch, Vocabulary
from graphs.invariance import assert_exchangeable, graph_example
from graphs.latent.frequencies import frequencies
from graphs.latent.symmetry import checks as latent_checks
from graphs.latent.tokenizer import LatentTokenizer
from graphs.masked.model import MaskedRefiner
from graphs.masked.symmetry import checks as masked_checks
from graphs.masked.tokenizer import MaskedTokenizer
from graphs.model import build
from graphs.support import Support
from graphs.train import train
from graphs.trained import GraphModel
from graphs.ways import draw
from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.optimisation import Optimisation
from tests.graphs import tiny

KINDS = ["masked", "latent"]
SIZES = (0, 0, 1, 2, 5, 3, 2)
LATENT = LatentConfig(dim=16, depth=2, heads=2, channels=4, planes=2, slots=2)


def model(kind: str, **options: object) -> GraphModel:
    torch.manual_seed(0)
    settings = ModelConfig(kind=kind, dim=16, depth=2, heads=2, latent=LATENT, **options)  # type: ignore[arg-type]
    support = Support((8, 6, 4), (2, 4))
    refiner = build(settings, tiny.VOCABULARY, tiny.LIMITS, support=support, sizes=SIZES)
    for parameter in refiner.parameters():  # gates of zero would hide most of it
        parameter.data.add_(0.1 * torch.randn(parameter.shape))
    config = GraphsConfig(model=settings, sampling=SamplingConfig(calls=6))
    return GraphModel(
        refiner.eval(), config, tiny.VOCABULARY, tiny.LIMITS, False, Properties(), support, SIZES
    )


def equal(a: GraphBatch, b: GraphBatch) -> bool:
    return all(torch.equal(x, y) for x, y in ((a.nodes, b.nodes), (a.edges, b.edges)))


@pytest.mark.parametrize("kind", KINDS)
def test_networks_are_equivariant(kind: str) -> None:
    checks = {"masked": masked_checks, "latent": latent_checks}[kind]
    batch = graph_example(tiny.VOCABULARY)
    for _, check in checks(model(kind).refiner, batch, 0):  # type: ignore[operator]
        check()


@pytest.mark.parametrize("kind", KINDS)
def test_samples_are_exchangeable(kind: str) -> None:
    made = model(kind)
    if kind == "latent":  # an untaught decoder says the same to whatever it is told
        tokens = made.refiner.tokenizer.requires_grad_(True)
        optimizer = torch.optim.AdamW(tokens.parameters(), lr=5e-3)
        for step in range(150):
            tokens((tiny.graphs(32, 6, seed=step),), tiny.names(32, step))["loss"].backward()
            optimizer.step()
            optimizer.zero_grad()
    assert_exchangeable(lambda seed: made.sample(4000 if kind == "latent" else 1500, seed=seed))


@pytest.mark.parametrize("kind", KINDS)
def test_samples_depend_on_seed_and_place_only(kind: str) -> None:
    made = model(kind)
    whole = made.sample(40, seed=3)
    assert equal(whole, made.sample(40, seed=3, batch=7))
    assert not equal(whole, made.sample(40, seed=4))
    assert torch.equal(whole.edges, whole.edges.mT) and whole.edges.max() <= 2


@pytest.mark.parametrize("kind", KINDS)
def test_samples_follow_the_law_that_training_sees(kind: str) -> None:
    refiner, names = model(kind).refiner, tiny.names(20)
    refiner.tokenizer.ask(7, "random")  # type: ignore[operator]
    schedule = refiner.tokenizer.schedule
    trace = refiner.sample_trace(names, schedule=schedule)
    given = refiner.distributions(trace.states[:-1])
    for k, (dist, code) in enumerate(zip(given, trace.codes, strict=True)):
        assert torch.equal(dist.sample(names.fork(k)), code)


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_are_those_of_training(kind: str) -> None:
    sizes = model(kind).sample(3000).sizes.bincount(minlength=len(SIZES)) / 3000
    assert torch.allclose(sizes, torch.tensor(SIZES) / sum(SIZES), atol=0.03)


@pytest.mark.parametrize("kind", KINDS)
def test_saved_model_is_the_same(kind: str, tmp_path: Path) -> None:
    made = model(kind)
    made.save(tmp_path / "model.safetensors", half=False)
    again = trained.load(tmp_path)
    assert again.config == made.config and again.sizes == SIZES
    assert equal(again.sample(20, seed=1), made.sample(20, seed=1))
    batch = tiny.graphs(5, 6)
    assert torch.allclose(again.code_log_prob(batch), made.code_log_prob(batch))


@pytest.mark.parametrize("kind", KINDS)
def test_training_reaches_every_parameter(kind: str) -> None:
    refiner = model(kind).refiner.train()
    if kind == "latent":
        tokens = refiner.tokenizer.requires_grad_(True)
        tokens((tiny.graphs(16, 6),), tiny.names(16))["loss"].backward()
    refiner((tiny.graphs(16, 6),), tiny.names(16))["loss"].backward()
    missing = [name for name, p in refiner.named_parameters() if p.grad is None]
    assert not missing


def test_masked_probabilities_sum_to_one() -> None:
    made = model("masked")
    pairs = list(product(range(3), range(3), range(3)))  # two nodes' labels, and their edge's
    nodes = torch.tensor([pair[:2] for pair in pairs])
    edges = torch.zeros(27, 2, 2).long()
    edges[:, 0, 1] = edges[:, 1, 0] = torch.tensor([pair[2] for pair in pairs])
    batch = GraphBatch(nodes, edges, torch.ones(27, 2).bool())
    for order in range(4):  # one order of revealing for all
        noise = Noise(order, torch.zeros(27).long())
        with torch.no_grad():
            total = made.refiner.code_log_prob(batch, None, noise).sum(1).exp().sum()
        assert float(total) == pytest.approx(SIZES[2] / sum(SIZES), rel=1e-4)


@pytest.mark.parametrize("calls", [1, 3, 50])
@pytest.mark.parametrize("order", ["random", "confidence"])
def test_masked_reveals_everything_once(calls: int, order: str) -> None:
    refiner = model("masked").refiner
    tokens = refiner.tokenizer
    assert isinstance(tokens, MaskedTokenizer)
    tokens.ask(calls, order)  # type: ignore[arg-type]
    trace = refiner.sample_trace(tiny.names(30), schedule=tokens.schedule)
    shown = torch.stack([code > 0 for code in trace.codes]).sum(0)
    final = trace.states[-1]
    assert torch.equal(shown[:, :, 0], final.valid.long())
    assert torch.equal(shown[:, :, 1:], final.pairs.long())
    known = torch.stack([state.known for state in trace.states])
    assert (known[-1] == final.elements).all() and (known.diff(dim=0) >= 0).all()


def test_masked_bound_is_tighter_with_more_weight_on_it() -> None:
    batch, noise = (tiny.graphs(64, 6),), tiny.names(64)
    losses = {}
    for weighting in ("bound", "plain"):
        refiner = model("masked", weighting=weighting).refiner
        assert isinstance(refiner, MaskedRefiner)
        losses[weighting] = refiner(batch, noise)
    assert torch.equal(losses["bound"]["bits"], losses["plain"]["bits"])
    assert not torch.equal(losses["bound"]["loss"], losses["plain"]["loss"])


def test_masked_respects_capacities() -> None:
    made = model("masked")
    assert made.support is not None
    weight, capacity = torch.tensor((0, *made.support.weight)), torch.tensor(made.support.capacity)

    def excess(graphs: GraphBatch) -> float:
        over = (weight[graphs.edges].sum(2) > capacity[graphs.nodes]) & graphs.valid
        return float(over.any(1).float().mean())

    kept = excess(made.sample(200, calls=30))
    made.refiner.head.support = None  # type: ignore[attr-defined]
    assert kept < 0.5 * excess(made.sample(200, calls=30))


def test_frequencies_are_those_of_the_laplacian() -> None:
    batch = tiny.graphs(20, 6)
    n = batch.nodes.shape[1]
    vectors, values = frequencies(batch, torch.randn(20, n, n))
    joined = (batch.edges > 0).float()
    laplacian = torch.diag_embed(joined.sum(2)) - joined
    found = vectors @ torch.diag_embed(values) @ vectors.mT / batch.sizes[:, None, None]
    assert torch.allclose(found, laplacian, atol=1e-4)


def test_latents_are_sums_of_bits_and_their_parts_agree() -> None:
    tokens = model("latent").refiner.tokenizer
    assert isinstance(tokens, LatentTokenizer)
    batch = tiny.graphs(10, 6)
    finals = []
    for calls in (4, 9):
        tokens.ask(calls, "random")
        assert len(tokens.schedule) == calls - 1
        features = tokens.features(batch, tiny.names(10))
        trace = tokens.trace(features)
        finals.append(trace.states[-1].nodes * batch.valid[:, :, None])
        state = trace.states[0]
        for k, code in enumerate(trace.codes):
            state = tokens.add(state, tokens.lookup(code, k).value, k)
        assert torch.equal(state.nodes, trace.states[-1].nodes)
    assert torch.allclose(finals[0], finals[1])


def test_what_a_kind_cannot_do_is_said() -> None:
    masked, latent, contraction = model("masked"), model("latent"), trained.load("qm9")
    with pytest.raises(InputError, match="calls of a contraction follow from the size"):
        contraction.sample(1, calls=4)
    with pytest.raises(InputError, match="only the kind 'contraction' has it"):
        masked.sample(1, parallel="all")
    with pytest.raises(InputError, match="only the kind 'masked' has it"):
        latent.sample(1, order="confidence")
    with pytest.raises(InputError, match="only the kind 'contraction' has it"):
        latent.sample(1, restarts=2)
    with pytest.raises(InputError, match="expected 4 at least: one for the slots"):
        latent.sample(1, calls=3)
    with pytest.raises(InputError, match="Found 0 network calls"):
        masked.sample(1, calls=0)
    with pytest.raises(InputError, match="Found -1 restarts"):
        contraction.sample(1, restarts=-1)
    with pytest.raises(InputError, match="cannot extend a scaffold"):
        masked.sample(1, scaffold="CCO")
    with pytest.raises(InputError, match="takes no properties"):
        masked.sample(1, where={"logp": 1.0})
    with pytest.raises(InputError, match="takes no properties: leave"):
        build(ModelConfig(kind="masked"), Vocabulary(), (3, 3), properties=1, sizes=SIZES)
    with pytest.raises(InputError, match="expected how many graphs have"):
        build(ModelConfig(kind="latent"), Vocabulary(), (3, 3))


@pytest.mark.parametrize("kind", KINDS)
def test_training_goes_on_where_it_was(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "few.smi").write_text("\n".join(["CCO", "CC(N)=O", "C1CC1O", "CC#N"] * 8) + "\n")
    opt = Optimisation(epochs=1, batch=8)
    settings = ModelConfig(
        kind=kind,  # type: ignore[arg-type]
        dim=16,
        depth=1,
        heads=2,
        latent=replace(LATENT, training=opt),
        training=opt,
    )
    config = GraphsConfig("tiny", 0, DataConfig(str(tmp_path / "few.smi")), settings)
    first = train(config, tmp_path / "runs", quiet=True)
    again = train(config, tmp_path / "runs", quiet=True)
    assert equal(first.sample(10), again.sample(10))
    assert len(first.smiles(first.sample(5))) == 5


def test_restarts_keep_what_they_are_told_to() -> None:
    refiner = tiny.refiner()
    how = SamplingConfig(restarts=1, restart_scale=20)  # more scales than there are
    plain = draw(refiner, tiny.names(20), None, SamplingConfig())
    same = draw(refiner, tiny.names(20), None, how)
    pairs = [(tiny.to_networkx(plain, g), tiny.to_networkx(same, g)) for g in range(20)]
    assert all(tiny.same(a, b) for a, b in pairs)
    other = draw(refiner, tiny.names(20), None, replace(how, restart_scale=1))
    pairs = [(tiny.to_networkx(plain, g), tiny.to_networkx(other, g)) for g in range(20)]
    assert not all(tiny.same(a, b) for a, b in pairs)
    assert torch.equal(plain.nodes.sum(1), plain.nodes.sum(1))
    assert torch.equal(plain.sizes, other.sizes)  # the first scale are the counts


def test_restarts_do_not_depend_on_the_batch() -> None:
    model = trained.load("qm9")
    whole = model.sample(12, seed=5, restarts=2)
    assert equal(whole, model.sample(12, seed=5, restarts=2, batch=5))
    assert not equal(whole, model.sample(12, seed=5))
