"""Properties as columns of a data set: read, computed once, scaled, and refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from graphs.chem.properties import property_values
from graphs.datasets import computed_properties
from graphs.datasets.load import load_splits
from graphs.datasets.properties import Properties, WithProperties
from refine_core.errors import InputError
from tests.graphs.conftest import Trained, settings


@pytest.fixture(autouse=True)
def cache(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(trained.folder / "cache"))


def test_columns_are_computed_once(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    config = settings(trained.folder, "logp", "length").data
    store = load_splits(config, quiet=True).train
    (first,) = store.text(0)
    assert store.properties["logp"][0] == property_values([first], ["logp"])["logp"][0]

    def again(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(computed_properties, "_computed", again)
    same = load_splits(config, quiet=True).train.properties["logp"]
    assert np.array_equal(same, store.properties["logp"])


def test_missing_values_are_left_out(trained: Trained) -> None:
    store = load_splits(settings(trained.folder, "length").data, quiet=True).train
    found = Properties.of(store, ("length",))
    assert found.low == (3,) and np.isfinite(found.mean[0])
    whole = WithProperties(store, found)[torch.arange(len(store))]
    missing = int(np.isnan(store.properties["length"]).sum())
    assert len(whole) == 2 and int(whole[1].isnan().sum()) == missing


def test_columns_that_tell_nothing_are_refused(trained: Trained) -> None:
    store = load_splits(settings(trained.folder).data, quiet=True).train
    with pytest.raises(InputError, match="no property 'lgp', only length, logp.*mean 'logp'"):
        Properties.of(store, ("lgp",))
    constant = replace(store, properties={"one": np.ones(len(store), np.float32)})
    with pytest.raises(InputError, match="'one' has the same value everywhere"):
        Properties.of(constant, ("one",))
