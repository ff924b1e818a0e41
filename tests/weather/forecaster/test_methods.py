"""Methods in the head that samples residuals: trained, saved, loaded and sampled with."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from refine_core.methods.min_snr import MinSNR
from tests.weather import tiny
from weather.forecaster.build import build_untrained
from weather.forecaster.refinement import RefineHead
from weather.model import load
from weather.training.run import train

METHODS: dict[str, dict[str, object]] = {
    "self_conditioning": {},
    "min_snr": {"gamma": 0.5},
    "stochastic": {"temperature": 0.1},
    "spatial_window": {"radius": 1, "periodic": [1]},
    "autoguidance": {"weight": [0.5]},
    "early_exit": {"change": 0.1},
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weather_methods")


def test_a_forecast_with_methods_is_trained_and_loaded(runs: Path) -> None:
    made = tiny.config(runs)
    config = replace(made, name="methods", head=replace(made.head, methods=METHODS))
    trained = train(config, runs, quiet=True)
    model = load(runs / "methods")
    heads = [each.forecaster.head for each in (trained, model)]
    for head in heads:
        assert isinstance(head, RefineHead)
        methods = {method.name: method for method in head.refiner.own_methods}
        assert methods.keys() == METHODS.keys()
        snr = methods["min_snr"]
        assert isinstance(snr, MinSNR) and snr.count > 0, "the head's steps reach its methods"
        enter = methods["self_conditioning"].get_parameter("enter.weight")
        assert float(enter.detach().abs().sum()) > 0
    a, b = (dict(head.named_parameters()) for head in heads)
    assert a.keys() == b.keys()
    assert all(torch.allclose(a[name], b[name], atol=1e-2) for name in a)


def test_members_do_not_depend_on_how_many_there_are() -> None:
    model = tiny.untrained()
    model.config = replace(model.config, head=replace(model.config.head, methods=METHODS))
    config = model.config
    forecaster = build_untrained(
        config.data, config.mean, config.head, model.grid, len(config.data.static)
    )
    model = replace(model, forecaster=forecaster.eval())
    size = (len(model.channels), *model.grid.shape)
    start = torch.randn(model.data.history, *size, generator=torch.Generator().manual_seed(0))
    start = model.denormalise(start)
    together = list(model.rollout(start, "2001-01-01", members=7, steps=2, seed=5))
    some = list(model.rollout(start, "2001-01-01", members=[6, 4], steps=2, seed=5))
    for a, b in zip(together, some, strict=True):
        assert np.array_equal(a.values[[6, 4]], b.values)
