"""Calls of the network are counted, and settings make more or fewer of them."""

from pathlib import Path

import pytest

from graphs import model as trained
from graphs.evaluation.network_calls import CallCounter, sampling_settings
from tests.graphs.evaluation.untrained import untrained


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_calls_are_counted_as_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = untrained(tmp_path / "few.smi", ["CCO", "CC#N", "CCF"], "masked")
    for number in (4, 7):
        with CallCounter(model) as counter:
            model.sample(10, calls=number, batch=4)
        assert counter.calls > 3 * number and counter.per_graph(10) > number  # drawn again
        monkeypatch.setattr("graphs.generators.common.valence.REDRAWS", 0)
        with CallCounter(model) as counter:
            model.sample(10, calls=number, batch=4)
        assert counter.calls == 3 * number and counter.per_graph(10) == number
        monkeypatch.undo()
    settings = sampling_settings(model, (16, 3, 4))
    assert [setting.options["calls"] for setting in settings] == [3, 4, 16]


def test_the_calls_of_a_contraction_follow_from_its_graphs() -> None:
    model = trained.load("qm9")
    (setting,) = sampling_settings(model, (4, 16))
    with CallCounter(model) as counter:
        model.sample(20, batch=20, **setting.options)
    assert not setting.options and 4 < counter.calls <= 9
    with CallCounter(model) as alone:
        model.sample(20, batch=1)
    assert alone.per_graph(20) == alone.calls / 20 == counter.per_graph(20) < counter.calls
