"""Training that starts from the weights of another model."""

import json
from dataclasses import replace

import pytest
import torch

from graphs.data.batch import Vocabulary
from graphs.finetune import start_from
from graphs.generators.common.kind import Names
from graphs.generators.contraction.transfer import PROPERTIES
from graphs.training import train
from refine_core.noise import Noise
from refine_core.training.config import Optimisation
from tests.graphs.conftest import Trained, settings


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
    fresh = new.state_dict()["head.out_bias"].clone()
    start_from(new, old.kind, path, Names(vocabulary))
    ours, theirs = new.state_dict(), old.refiner.state_dict()
    assert torch.equal(ours["head.place"][1 : 1 + labels].flip(0), theirs["head.place"][:labels])
    assert torch.equal(ours["head.place"][1 + labels :], theirs["head.place"][labels:])
    known = theirs["head.out_bias"].shape[1]
    assert torch.equal(
        ours["head.out_bias"][1 + labels :, :known], theirs["head.out_bias"][labels:]
    )
    assert torch.equal(ours["head.out_bias"][0], fresh[0])
    assert torch.equal(ours["head.out_bias"][:, known:], fresh[:, known:])
    counted = [x["embed.cluster.weight"].unflatten(1, (-1, 17)) for x in (ours, theirs)]
    assert torch.equal(counted[0][:, 1 : 1 + labels].flip(1), counted[1][:, :labels])
    assert torch.equal(counted[0][:, 1 + labels :], counted[1][:, labels:])


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
