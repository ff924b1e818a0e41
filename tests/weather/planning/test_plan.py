"""What a plan predicts is what then happens, and what cannot be planned is refused."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
import pytest
import torch

from refine_core.errors import InputError
from tests.weather import tiny
from tests.weather.synthetic import atmosphere, times
from weather.cli.main import main
from weather.config import WeatherConfig
from weather.data.preparation import prepare
from weather.fields.grid import equiangular
from weather.forecast.initial_states import InitialStates
from weather.forecast.run import write_forecast
from weather.forecaster.build import build_untrained
from weather.forecaster.refinement import RefineHead
from weather.forecaster.rollout import GROUP
from weather.io.source import Source
from weather.model import WeatherModel
from weather.planning.networks import Trained, networks, sample_step, sampling_cost, training_cost
from weather.planning.outline import Outline, outline
from weather.planning.stages import ALLOCATED, ResourcePlan, Stage, _Planning, plan

GRID = equiangular(8, 16)
STAGES = {
    "refine": ["mean", "errors", "tokeniser", "head", "calibrate"],
    "crps": ["mean", "errors", "head", "calibrate"],
    "gaussian": ["mean", "errors", "calibrate"],
    "deterministic": ["mean", "errors"],
}


@pytest.mark.parametrize("kind", STAGES)
def test_stages_of_each_kind(kind: str) -> None:
    made = plan(tiny._config("", kind), grid=GRID, members=3, steps=2, starts=1)
    assert [each.name for each in made.stages] == ["prepare", *STAGES[kind], "forecast", "verify"]
    assert all(each.memory > 0 and each.seconds > 0 for each in made.stages)
    assert made.total.seconds == sum(each.seconds for each in made.stages)
    assert not made.data.known
    assert any("could not be opened" in note for note in made.notes)


def test_the_data_are_as_they_turn_out(folder: Path) -> None:
    config = tiny.config(folder).data
    found, data = outline(config, None, None), prepare(config, quiet=True)
    assert found.known
    assert found.grid == data.grid
    assert found.states == len(data.times)
    assert found.windows == {p: len(data.starts(p)) for p in ("train", "validation", "test")}
    files = [data.folder / f"{name}.npy" for name in ("states", "static", "times")]
    assert found.disk == pytest.approx(sum(file.stat().st_size for file in files), abs=600)


def test_memory_is_what_a_process_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("refine_core.app.processes.memory._group_limit", lambda: 10**8)
    data = outline(tiny._config("", "refine").data, GRID, None)
    assert ResourcePlan((), data, 1, ()).memory == 10**8


def test_without_data_times_are_a_step_apart_or_as_said() -> None:
    config = tiny._config("", "refine").data
    steps, hours = outline(config, GRID, None), outline(config, GRID, 6)
    assert hours.states == 2 * steps.states
    assert hours.windows["train"] == 20 * 4 - 4


@pytest.mark.parametrize("stage", ["mean", "tokeniser", "head"])
def test_parameters_and_checkpoints_are_as_they_turn_out(folder: Path, stage: Trained) -> None:
    """The checkpoint's size is that of its tensors, without the file's header."""
    model = tiny.trained(folder, "refine")
    config, data = tiny.config(folder, "refine"), outline(tiny.config(folder).data, None, None)
    cost = training_cost(config, data, stage)
    of = "deterministic" if stage == "mean" else "refine"
    name = "tokenizer" if stage == "tokeniser" else stage
    path = folder / f"tiny_{of}" / name / "last.safetensors"
    with path.open("rb") as file:
        header = 8 + int.from_bytes(file.read(8), "little")
    assert cost.checkpoint == path.stat().st_size - header
    forecaster, head = model.forecaster, model.forecaster.head
    assert isinstance(head, RefineHead)
    mean, whole, tokenizer, decoder = (
        sum(each.numel() for each in part.parameters())
        for part in (forecaster.mean, head, head.tokenizer, head.tokenizer.decoder)
    )
    expected = {"mean": mean, "tokeniser": decoder, "head": whole - tokenizer}
    assert cost.parameters == expected[stage]


MEASURE = """
from pathlib import Path
from tests.weather.planning import test_plan
from weather.planning.networks import warm_up
def size(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(name)).split()[1])
warm_up()
Path("/proc/self/clear_refs").write_text("5")  # the peak is what it is now
before = size("VmRSS")
test_plan.{work}
print(size("VmHWM") - before)
"""


def measured(work: str) -> int:
    """Bytes by which a process of its own grows at its peak."""
    command = [sys.executable, "-c", MEASURE.format(work=work)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout)


def middle() -> tuple[WeatherConfig, Outline]:
    """A mean of 192 channels and four blocks, batches of 32 on 32 x 64."""
    config = tiny._config("", "deterministic")
    training = replace(config.mean.training, batch=32)
    mean = replace(config.mean, dim=192, depth=4, heads=6, width=64, grid=(8, 16))
    config = replace(config, mean=replace(mean, training=training))
    return config, outline(config.data, equiangular(32, 64), None)


def train_middle() -> None:
    """Two steps of a training."""
    from refine_core.training.state import TrainState
    from weather.planning.networks import settings, train_step, trained_module, update, windows

    config, data = middle()
    opt = settings(config, "mean")
    state = TrainState.new(trained_module(config, data.grid, "mean"), opt)
    ahead = windows(config, data.grid, opt.batch)
    for _ in range(2):
        batch = windows(config, data.grid, opt.batch)
        train_step(state, opt, *batch)
        update(state)
    del ahead


def forecast_middle() -> None:
    """Two steps of ten members."""
    config, data = middle()
    forecaster = networks(config, data.grid).eval()
    for _ in range(2):
        sample_step(forecaster, config, data.grid, 10)


def forecast_large(states: str) -> None:
    """Two groups of members of six steps, lead by lead."""
    config, source = tiny._config("", "deterministic"), Source.open(states)
    statics = len(config.data.static)
    forecaster = build_untrained(config.data, config.mean, config.head, source.grid, statics)
    first = torch.from_numpy(source.read(config.data.channels, np.arange(1)))[0]
    mean, std, none = first.mean((1, 2)), first.std((1, 2)) + 1, torch.zeros(0)
    model = WeatherModel(forecaster.eval(), config, source.grid, mean, std, none, none)
    with TemporaryDirectory() as folder, patch("weather.forecast.run.LARGE", 1):
        initial = InitialStates(source, model)
        chosen, out = initial.choose("2000-01-02"), Path(folder, "f.zarr")
        write_forecast(initial, chosen, out, members=2 * GROUP, steps=6, workers=1, quiet=True)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the peak")
def test_the_memory_of_a_forecast_lead_by_lead_is_predicted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("weather.planning.stages.LARGE", 1)
    config, states = tiny._config("", "deterministic"), tmp_path / "states.zarr"
    atmosphere(times(2), h=256, w=512).to_zarr(states, consolidated=False)
    data = outline(config.data, equiangular(256, 512), None)
    step, weights = sampling_cost(config, data.grid, GROUP)
    planned = _Planning(config, data, 2 * GROUP, 6, 1, 2 * GROUP, 0)
    memory = planned._forecast(step, weights, 0).memory
    used = measured(f"forecast_large({str(states)!r})")
    assert ALLOCATED * memory == pytest.approx(used, rel=0.25)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the peak")
def test_the_memory_of_a_training_is_predicted() -> None:
    config, data = middle()
    cost = training_cost(config, data, "mean")
    assert ALLOCATED * cost.memory == pytest.approx(measured("train_middle()"), rel=0.25)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the peak")
def test_the_memory_of_a_forecast_is_predicted() -> None:
    config, data = middle()
    cost, weights = sampling_cost(config, data.grid, 10)
    assert 0 < weights < cost.memory
    assert ALLOCATED * cost.memory == pytest.approx(measured("forecast_middle()"), rel=0.25)


def test_large_grids_take_no_memory_to_plan() -> None:
    config = tiny._config("", "refine")
    large = outline(config.data, equiangular(721, 1440, poles=True), None)
    small = outline(config.data, GRID, None)
    costs = [training_cost(config, data, "mean") for data in (small, large)]
    assert costs[1].memory > 1e10 > 1e9 > costs[0].memory
    assert costs[1].operations > 1000 * costs[0].operations


def test_what_does_not_fit_is_said_with_what_to_lower() -> None:
    data = outline(tiny._config("", "refine").data, GRID, None)
    stages = (
        Stage("prepare", 1e9, 5e9, 60.0, lower="divide the source"),
        Stage("mean", 3e9, 1e6, 60.0, 1000, "lower mean.training.batch"),
    )
    assert ResourcePlan(stages, data, 1, (), 4 * 10**9).problems(10**10) == []
    memory, disk = ResourcePlan(stages, data, 1, (), 2 * 10**9).problems(10**9)
    assert memory == "mean needs 3 GB of memory, there are 2 GB: lower mean.training.batch."
    assert disk.startswith("All stages together need 5 GB of disk, there are 1 GB left")
    assert "prepare takes most: give fewer years" in disk


def test_what_to_lower_is_what_fits() -> None:
    config, data = middle()
    costs = {parts: training_cost(config, data, "mean", parts).memory for parts in (1, 2, 4, 32)}
    assert costs[1] > costs[2] > costs[4] > costs[32]

    def said(room: float) -> str:
        return _Planning(config, data, 2, 1, 1, 2, room)._lower("mean")

    assert said(costs[4]) == "set mean.training.accumulate to 4"
    assert said(costs[4] - 1) != said(costs[4])
    assert said(costs[32] - 1) == "lower mean.width or dim, as one window at a time takes too much"


def test_a_mean_from_elsewhere_is_taken_into_account(folder: Path) -> None:
    tiny.trained(folder, "deterministic")
    config = replace(tiny.config(folder, "gaussian"), mean=replace(tiny.NETWORK, dim=32))
    missing = plan(replace(config, mean_from="nowhere"), members=2, steps=1, starts=1)
    assert any("nowhere, whose mean is used" in note for note in missing.notes)
    assert "mean" not in [each.name for each in missing.stages]
    there = replace(config, mean_from=str(folder / "tiny_deterministic"))
    assert len(plan(there, members=2, steps=1, starts=1).notes) == len(missing.notes) - 1


def test_what_cannot_be_planned_is_refused() -> None:
    config = tiny._config("", "deterministic")
    with pytest.raises(InputError, match="names no data.source: give --grid or --like"):
        plan(config)
    gone = replace(config, data=replace(config.data, source="gone.zarr"))
    with pytest.raises(InputError, match=r"gone.zarr.*Or give --grid or --like"):
        plan(gone)
    with pytest.raises(InputError, match="lower `grid`"):
        plan(config, grid=equiangular(2, 4))
    with pytest.raises(InputError, match="0 members"):
        plan(config, grid=GRID, members=0)
    late = replace(config, data=replace(config.data, step_hours=24 * 30))
    with pytest.raises(InputError, match="holds no step of 720 h"):
        plan(late, grid=GRID)


def test_the_command_prints_a_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from refine_core.config.schema import to_dict
    from refine_core.storage.files import write_text

    path = folder / "planned.yaml"
    write_text(path, json.dumps(to_dict(tiny.config(folder, "deterministic"))))
    words = ["--config", str(path), "--members", "4", "--lead-days", "1", "--starts", "2"]
    main(["plan", *words])
    said = capsys.readouterr().out
    for name in ("prepare", "mean", "errors", "forecast", "verify", "together"):
        assert f"| {name} |" in said
    threads = torch.get_num_threads()
    assert f"measured now, by {threads} thread" in said
    with pytest.raises(InputError, match="Give one of --grid and --like"):
        main(["plan", *words, "--grid", "8x16", "--like", "gcm"])
