"""A few damaged inputs of each kind; `make fuzz` tries 2,000."""

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz import materials
from tests.fuzz.law import Case, hold
from tests.fuzz.targets import TARGETS

FEW = {
    "configs": 6,
    **{f"{name} configs": 3 for name in materials.comparisons()},
    "options": 12,
    "weather files": 4,
    "checkpoints": 6,
}
"""Inputs of kinds that take long, or that are many."""


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    "words",
    [
        "graphs describe --source a.smi",
        "graphs describe --source a.csv",
        "graphs describe --source a.sdf",
        "graphs describe --source a.graphml",
        "images train --config images.yaml --data a.npz",
        "images train --config images.yaml --data idx",
        "images train --config images.yaml --data png",
        "weather train --config weather.yaml",
        "weather regrid two.zarr --grid 2x4 --out out.zarr",
        "graphs sample --model graphs.safetensors --count 1 --out out.smi",
        "images sample --model images.safetensors --count 1 --out out.png",
        "weather forecast --init three.zarr --members 1 --lead-days 0.5 --out out.zarr --model "
        "weather.safetensors",
    ],
)
def test_as_they_are_the_inputs_are_accepted(words: str) -> None:
    configs = {f"{n}.yaml": yaml.safe_dump(c).encode() for n, c in materials.configs().items()}
    argv = tuple(words.split())
    assert hold(Case(argv, {**materials.sources(argv[0]), **materials.models(), **configs})) == 0


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("command", materials.comparisons())
def test_as_they_are_configs_of_comparisons_are_accepted(command: str) -> None:
    config = yaml.safe_dump(materials.comparisons()[command]).encode()
    argv = ("images", command, "--config", "c.yaml")
    assert hold(Case(argv, {**materials.compared(command), "c.yaml": config})) == 0


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.filterwarnings("default")
def test_a_damaged_input_ends_in_a_result_or_a_sentence(name: str) -> None:
    @settings(
        max_examples=FEW.get(name, 8),
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def each(data: st.DataObject) -> None:
        hold(data.draw(TARGETS[name]()))

    each()
