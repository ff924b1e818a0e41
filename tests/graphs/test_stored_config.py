"""Models that earlier versions saved are read as models of this version."""

import json
from pathlib import Path
from typing import Any

import pytest

from graphs import model as trained
from graphs.config import GraphsConfig
from graphs.generators.common.config import SamplingConfig
from graphs.generators.config import ModelConfig
from graphs.generators.contraction.config import ContractionConfig
from graphs.generators.expansion.config import ExpansionConfig
from graphs.generators.masked.config import MaskedConfig
from graphs.model import GraphSpec
from graphs.stored_config import current
from refine_core.config.schema import from_dict, to_dict
from refine_core.errors import InputError
from refine_core.storage import checkpoint
from refine_core.training.config import Optimisation
from tests.graphs import tiny

TRAINING = to_dict(Optimisation())
MODEL: dict[str, Any] = {
    **{"kind": "contraction", "dim": 32, "depth": 2, "heads": 4, "dropout": 0.0, "reach": 4},
    **{"parallel": "one", "bounded": True, "matching": "tight", "coupled": True, "smooth": False},
    **{"counted": True, "every": 4, "cycles": False, "shown": "none", "share": 1.5},
    **{"property_dropout": 0.2, "weighting": "bound", "latent": {"dim": 64}},
    "training": TRAINING,
}
SAMPLING = {"parallel": "all", "temperature": 0.9, "calls": None, "order": "random"}
SAMPLING |= {"guidance": 0.0, "restarts": 0, "restart_scale": 4}


def stored(kind: str) -> dict[str, Any]:
    """Metadata as they were stored, of a model of a kind."""
    return {
        "config": {"name": "old", "model": MODEL | {"kind": kind}, "sampling": SAMPLING},
        "vocabulary": {"nodes": ["C"], "edges": [""], "directed": False},
        "limits": [9, 12],
        "connected": True,
        "properties": {"names": [], "mean": [], "spread": []},
        "support": {"capacity": [8], "weight": [2]},
    }


SHARED: dict[str, Any] = {"dim": 32, "depth": 2, "heads": 4, "reach": 4}
EXPECTED: dict[str, tuple[ModelConfig, SamplingConfig]] = {
    "contraction": (
        ContractionConfig(
            **SHARED,
            parallel="one",
            matching="tight",
            coupled=True,
            edge_tokens="none",
            scale_subsampling=1.5,
            property_dropout=0.2,
        ),
        SamplingConfig(parallel="all", temperature=0.9),
    ),
    "expansion": (
        ExpansionConfig(**SHARED, matching="tight", counted=True, scale_subsampling=4),
        SamplingConfig(temperature=0.9),
    ),
    "masked": (
        MaskedConfig(**SHARED, weighting="bound"),
        SamplingConfig(temperature=0.9, order="random"),
    ),
}


@pytest.mark.parametrize("kind", EXPECTED)
def test_a_config_for_all_kinds_becomes_that_of_one(kind: str) -> None:
    spec = from_dict(GraphSpec, current(stored(kind)))
    assert (spec.config.model, spec.config.sampling) == EXPECTED[kind]
    assert spec.statistics.max_counts == (9, 12) and spec.statistics.sizes == ()
    assert spec.statistics.valence_limits is not None
    assert spec.statistics.valence_limits.capacity == (8,)


def test_what_is_stored_now_stays_as_it_is() -> None:
    meta: dict[str, object] = {"config": to_dict(GraphsConfig()), "statistics": {}}
    assert current(meta) == meta


def test_a_model_of_old_draws_the_same_graphs(tmp_path: Path) -> None:
    new = tiny.model(ContractionConfig(**tiny.SMALL))
    old: dict[str, Any] = stored("contraction")
    statistics = json.loads(json.dumps(to_dict(new.statistics)))
    old["vocabulary"], old["limits"] = statistics["vocabulary"], statistics["max_counts"]
    old |= {"support": None, "kind": trained.MODELS.kind}
    old["config"]["model"] = {**tiny.SMALL, "training": TRAINING}  # no kind, as once
    del old["config"]["sampling"]["calls"]
    old["config"]["sampling"] |= {"temperature": 1.0, "parallel": "independent"}
    checkpoint.save(tmp_path / "old.safetensors", new.refiner.state_dict(), old)
    again = trained.load(tmp_path / "old.safetensors")
    assert tiny.equal(again.sample(9), new.sample(9))
    with pytest.raises(InputError, match="takes no properties"):
        again.sample(1, where={"gap": 0.2})
