"""Training that starts from the weights of another model."""

import json
from dataclasses import replace

import pytest
import torch

from graphs.data.batch import Vocabulary
from graphs.finetune import start_from
from graphs.generators.common.kind import Names
from graphs.generators.contraction.config import ContractionConfig
from graphs.generators.contraction.transfer import PROPERTIES, VALUES
from graphs.generators.kinds import kind_of
from graphs.training import train
from refine_core.noise import Noise
from refine_core.training.config import Optimisation
from tests.graphs.conftest import Trained, settings
from tests.graphs.tiny import STATISTICS


def test_with_new_properties_the_model_equals_the_old_one(trained: Trained) -> None:
    batch, index = trained.plain.sample(8, seed=1), torch.arange(8)
    for old, context in ((trained.plain, None), (trained.conditioned, torch.randn(8, 2))):
        path = trained.folder / "whole.safetensors"
        old.save(path, half=False)
        names = ("qed", *old.properties.names)
        new = old.kind.build(old.statistics, len(names))
        start_from(new, old.kind, path, Names(old.vocabulary, names))
        values = torch.randn(8, len(names))
        if context is not None:
            values[:, 1:] = context
        with torch.no_grad():
            before = old.refiner.code_log_prob(batch, context, Noise(0, index))
            after = new.eval().code_log_prob(batch, values, Noise(0, index))
        assert torch.allclose(before, after, atol=1e-5)


def test_labels_of_the_same_name_get_their_weights(trained: Trained) -> None:
    old, path = trained.plain, trained.folder / "labels.safetensors"
    old.save(path, half=False)
    vocabulary = Vocabulary(("S", *reversed(old.vocabulary.nodes)), old.vocabulary.edges)
    kinds, labels = len(vocabulary.edges), len(old.vocabulary.nodes)
    counts = old.statistics.max_counts[:labels]
    most = (3, *reversed(counts), *(40 for _ in range(kinds)))
    new = old.kind.build(replace(old.statistics, vocabulary=vocabulary, max_counts=most))
    fresh = {name: tensor.clone() for name, tensor in new.state_dict().items()}
    start_from(new, old.kind, path, Names(vocabulary))
    ours, theirs = new.state_dict(), old.refiner.state_dict()
    for name in ("head.split.numbers.place", "head.counts.label.weight", "head.counts.next.bias"):
        assert torch.equal(ours[name][1 : 1 + labels].flip(0), theirs[name][:labels])
        assert torch.equal(ours[name][1 + labels :], theirs[name][labels:])
        assert torch.equal(ours[name][0], fresh[name][0])
    bias = "head.split.numbers.bias"
    known = theirs[bias].shape[1]
    assert torch.equal(ours[bias][1 + labels :, :known], theirs[bias][labels:])
    assert torch.equal(ours[bias][:, known:], fresh[bias][:, known:])
    for name in VALUES:  # of more values than the other model knows
        assert len(ours[name]) == 41 > (known := len(theirs[name]))
        assert torch.equal(ours[name][:known], theirs[name])
        assert torch.equal(ours[name][known:], fresh[name][known:])
    here, there = (_vectors(each) for each in (ours, theirs))
    for mine, theirs_ in zip(here[1 : 1 + labels][::-1], there[:labels], strict=True):
        assert torch.equal(mine, theirs_)
    for mine, theirs_ in zip(here[1 + labels :], there[labels:], strict=True):
        assert torch.equal(mine[: len(theirs_)], theirs_)
    assert torch.equal(here[0], _vectors(fresh)[0])


def _vectors(state: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """Those of the numbers of each count."""
    starts = state["embed.cluster.first"].tolist()
    vectors = state["embed.cluster.number"]
    return [vectors[a:b] for a, b in zip(starts, [*starts[1:], len(vectors)], strict=True)]


def test_training_starts_there(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = trained.folder
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    config = settings(folder, "logp", start_from=str(folder / "runs" / "plain"))
    still = Optimisation(epochs=1, batch=16, learning_rate=0.0, weight_decay=0.0, ema=None)
    config = replace(config, name="warm", model=replace(config.model, training=still))
    warm = train(config, folder / "runs", quiet=True)
    a, b = trained.plain.refiner.state_dict(), warm.refiner.state_dict()
    assert a.keys() == b.keys() and not bool(b[PROPERTIES].any())
    for name in a.keys() - {PROPERTIES}:  # the old model was kept in half precision
        assert torch.allclose(a[name], b[name], atol=2e-3)
    rows = json.loads((folder / "runs" / "warm" / "metrics.json").read_text())
    assert rows[-1]["validation_bits"] == pytest.approx(rows[-1]["conditional_bits"], abs=1e-4)


def test_labels_of_edges_that_are_no_tokens_get_theirs() -> None:
    config = ContractionConfig(dim=16, depth=1, heads=2, edge_tokens="none")
    kind = kind_of(config)
    old, new = (
        replace(STATISTICS, vocabulary=Vocabulary(("C", "N", "O"), edges))
        for edges in (("SINGLE", "DOUBLE"), ("SINGLE", "TRIPLE"))
    )
    theirs, ours = (kind.build(each).state_dict() for each in (old, new))
    with torch.no_grad():
        theirs = {
            name: torch.randn(x.shape) if x.is_floating_point() else x
            for name, x in theirs.items()
        }
    found = kind.transferred(ours, theirs, Names(new.vocabulary), Names(old.vocabulary))
    for name in ("embed.link.weight", "head.split.label.weight", "embed.label.weight"):
        assert torch.equal(found[name][0], theirs[name][0])
        assert torch.equal(found[name][1], ours[name][1])
