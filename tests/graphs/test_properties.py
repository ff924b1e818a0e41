"""Conditioning on properties, and training that starts from a model without them."""

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graphs.config import GraphsConfig
from graphs.data.batch import Vocabulary
from graphs.datasets import computed_properties as columns
from graphs.datasets.config import DataConfig
from graphs.datasets.load import splits
from graphs.datasets.properties import Properties, WithProperties
from graphs.finetune import ENTRY, start_from
from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.contraction.config import ContractionConfig
from graphs.model import GraphModel
from graphs.training import train
from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.training.config import Optimisation
from tests.graphs.tiny import Relabelled, graphs, names, refiner

MOLECULES = ["CCO", "c1ccccc1", "CC(N)=O", "N#CC1CC1O", "CC#N", "C=CCO", "CCF", "OCC1CC1"]


def conditioned(single_dropout: float = 0.0) -> GraphRefiner:
    """On two properties."""
    return refiner(properties=2, single_dropout=single_dropout, property_dropout=0.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With molecules.csv, whose column `length` misses a value."""
    folder = tmp_path_factory.mktemp("properties")
    rows = [f"{text},{len(text)}" for text in MOLECULES * 8]
    (folder / "molecules.csv").write_text("\n".join(["smiles,length", "CO,", *rows]) + "\n")
    return folder


def settings(folder: Path, *properties: str, **model: Any) -> GraphsConfig:
    return GraphsConfig(
        name="-".join(properties) or "plain",
        data=DataConfig(source=str(folder / "molecules.csv"), properties=properties),
        model=ContractionConfig(
            dim=16, depth=1, heads=2, training=Optimisation(epochs=1, batch=16), **model
        ),
    )


@pytest.fixture(scope="module")
def models(folder: Path) -> tuple[GraphModel, GraphModel]:
    """One that knows no property, and one that knows `length` and `logp`."""
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    made = [
        train(settings(folder, *each), folder / "runs", quiet=True)
        for each in ((), ("length", "logp"))
    ]
    patch.undo()
    return made[0], made[1]


def test_properties_matter_and_dropped_ones_do_not() -> None:
    model, batch = conditioned(), graphs(12, 6)
    values = torch.randn(12, 2)
    everywhere = torch.ones(12).bool()
    with torch.no_grad():
        plain, dropped, full, half = (
            model.code_log_prob(batch, context, names(12))
            for context in (
                None,
                model.embed.drop(values, everywhere),
                values,
                values.clone().index_fill_(1, torch.tensor([1]), torch.nan),
            )
        )
    assert torch.equal(plain, dropped)
    for a, b in ((plain, full), (plain, half), (half, full)):
        assert bool(((a - b).abs().sum(1) > 1e-4).all())


def test_single_properties_are_left_out_in_training() -> None:
    batch, values = graphs(20, 6), torch.randn(20, 2)
    every, none, some = conditioned(), conditioned(1.0), conditioned(0.5)
    unknown = torch.full_like(values, torch.nan)
    with torch.no_grad():
        free = every((batch, unknown), names(20))["loss"]
        assert torch.equal(none((batch, values), names(20))["loss"], free)
        whole = every((batch, values), names(20))["loss"]
        part = some((batch, values), names(20))["loss"]
    assert len({float(x) for x in (free, whole, part)}) == 3


def test_relabelling_changes_nothing_with_properties() -> None:
    batch, model, values = graphs(20, 7), conditioned(), torch.randn(20, 2)
    order = torch.rand(20, 7).argsort(1)
    with torch.no_grad():
        plain = model.code_log_prob(batch, values, names(20))
        moved = model.code_log_prob(batch.permute(order), values, Relabelled(names(20), order))
    assert torch.allclose(plain, moved, atol=1e-4)


def test_samples_do_not_depend_on_the_batch(models: tuple[GraphModel, GraphModel]) -> None:
    where = {"length": 8.0, "logp": 0.5}
    options: dict[str, Any] = {"where": where, "guidance": 2.0, "seed": 3}
    model = replace(models[1], refiner=deepcopy(models[1].refiner))
    for name, parameter in model.refiner.named_parameters():
        if name.endswith("sample.weight"):  # zero before training, and small after so little
            parameter.data.normal_(generator=torch.Generator().manual_seed(0))
    whole, parts = model.sample(30, **options), model.sample(30, batch=7, **options)
    assert torch.equal(whole.nodes, parts.nodes) and torch.equal(whole.edges, parts.edges)
    assert model.smiles(whole) != model.smiles(model.sample(30, seed=3))


def test_columns_are_computed_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    config = settings(folder, "logp", "length").data
    store = splits(config, quiet=True).train
    (first,) = store.text(0)
    from graphs.chem.properties import property_values

    assert store.properties["logp"][0] == property_values([first], ["logp"])["logp"][0]

    def again(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(columns, "_computed", again)
    same = splits(config, quiet=True).train.properties["logp"]
    assert np.array_equal(same, store.properties["logp"])
    found = Properties.of(store, ("length",))
    assert found.low == (3,) and np.isfinite(found.mean[0])
    whole = WithProperties(store, found)[torch.arange(len(store))]
    assert len(whole) == 2 and int(whole[1].isnan().sum()) == int(
        np.isnan(store.properties["length"]).sum()
    )


def test_a_warm_start_equals_the_old_model(
    models: tuple[GraphModel, GraphModel], folder: Path, tmp_path: Path
) -> None:
    plain, knowing = models
    batch, index = plain.sample(8, seed=1), torch.arange(8)
    for old, context in ((plain, None), (knowing, torch.randn(8, 2))):
        old.save(tmp_path / "old.safetensors", half=False)
        names = ("qed", *old.properties.names)
        new = old.kind.build(old.statistics, len(names))
        start_from(new, tmp_path / "old.safetensors", names, old.vocabulary)
        values = torch.randn(8, len(names))
        if context is not None:
            values[:, 1:] = context
        with torch.no_grad():
            before = old.refiner.code_log_prob(batch, context, Noise(0, index))
            after = new.eval().code_log_prob(batch, values, Noise(0, index))
        assert torch.allclose(before, after, atol=1e-5)


def test_a_warm_start_gives_weights_to_labels_of_the_same_name(
    models: tuple[GraphModel, GraphModel], tmp_path: Path
) -> None:
    old = models[0]
    old.save(tmp_path / "old.safetensors", half=False)
    vocabulary = Vocabulary(("S", *reversed(old.vocabulary.nodes)), old.vocabulary.edges)
    kinds, labels = len(vocabulary.edges), len(old.vocabulary.nodes)
    counts = old.statistics.max_counts[:labels]
    most = (3, *reversed(counts), *(40 for _ in range(kinds)))
    new = old.kind.build(replace(old.statistics, vocabulary=vocabulary, max_counts=most))
    fresh = new.state_dict()["head.out_bias"].clone()
    start_from(new, tmp_path / "old.safetensors", (), vocabulary)
    ours, theirs = new.state_dict(), old.refiner.state_dict()
    assert torch.equal(ours["head.place"][1 : 1 + labels].flip(0), theirs["head.place"][:labels])
    assert torch.equal(ours["head.place"][1 + labels :], theirs["head.place"][labels:])
    known = theirs["head.out_bias"].shape[1]
    assert torch.equal(
        ours["head.out_bias"][1 + labels :, :known], theirs["head.out_bias"][labels:]
    )
    assert torch.equal(ours["head.out_bias"][0], fresh[0])
    assert torch.equal(ours["head.out_bias"][:, known:], fresh[:, known:])
    apart = [x["embed.cluster.weight"].unflatten(1, (-1, 17)) for x in (ours, theirs)]
    assert torch.equal(apart[0][:, 1 : 1 + labels].flip(1), apart[1][:, :labels])
    assert torch.equal(apart[0][:, 1 + labels :], apart[1][:, labels:])


def test_training_starts_there(
    models: tuple[GraphModel, GraphModel], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    start = str(folder / "runs" / "plain")
    still = Optimisation(epochs=1, batch=16, learning_rate=0.0, weight_decay=0.0, ema=None)
    config = settings(folder, "logp", start_from=start)
    config = replace(config, name="warm", model=replace(config.model, training=still))
    warm = train(config, folder / "runs", quiet=True)
    a, b = models[0].refiner.state_dict(), warm.refiner.state_dict()
    assert a.keys() == b.keys() and not bool(b[ENTRY].any())
    for name in a.keys() - {ENTRY}:  # the old model was kept in half precision
        assert torch.allclose(a[name], b[name], atol=2e-3)
    rows = json.loads((folder / "runs" / "warm" / "metrics.json").read_text())
    assert rows[-1]["validation_bits"] == pytest.approx(rows[-1]["conditional_bits"], abs=1e-4)


def test_mistakes_get_a_sentence(models: tuple[GraphModel, GraphModel], folder: Path) -> None:
    model = models[1]
    for where, said in (
        ({"lenght": 8.0}, "only on length, logp. Did you mean 'length'"),
        ({"length": 80.0}, "Found length=80, but training graphs have a length from 3 to"),
        ({"logp": float("nan")}, "Found logp=nan"),
        ({"logp": float("inf")}, "Found logp=inf"),
    ):
        with pytest.raises(InputError, match=said.replace("(", r"\(")):
            model.sample(1, where=where)
    store = splits(settings(folder).data, quiet=True).train
    with pytest.raises(InputError, match="no property 'lgp', only length, logp.*mean 'logp'"):
        Properties.of(store, ("lgp",))
    constant = replace(store, properties={"one": np.ones(len(store), np.float32)})
    with pytest.raises(InputError, match="'one' has the same value everywhere"):
        Properties.of(constant, ("one",))
