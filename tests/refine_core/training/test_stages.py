"""The stages of a run: folders, random streams, and what they leave as it was."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from refine_core.errors import InputError
from refine_core.noise import derive
from refine_core.training import runs
from refine_core.training.budget import Pace
from refine_core.training.loop import fit
from refine_core.training.stages import Stages
from tests.refine_core.storage.holder import holder
from tests.refine_core.training.toys import OPT, data, line


def test_a_stage_trains_in_its_own_folder_with_its_own_stream(tmp_path: Path) -> None:
    expected, _ = fit(line(), data(), OPT, seed=derive(3, 2), quiet=True)
    stages = Stages(tmp_path, 3, "data", quiet=True)
    for name in ("", "second"):
        found = stages.train(line(), data(), OPT, stream=2, config=OPT, name=name)
        assert torch.equal(found.linear.weight, expected.linear.weight)
        assert (tmp_path / name / "last.safetensors").exists()
    with pytest.raises(InputError, match="another seed"):
        Stages(tmp_path, 3, "data").train(line(), data(), OPT, stream=1, config=OPT)
    with pytest.raises(InputError, match="other data"):
        Stages(tmp_path, 3, "other").train(line(), data(), OPT, stream=2, config=OPT)


def test_two_processes_do_not_train_one_stage(tmp_path: Path) -> None:
    stages = Stages(tmp_path, 3, quiet=True)
    with holder(tmp_path / "mean", "folder"):
        with pytest.raises(InputError, match="Another process is writing .*mean: wait until pro"):
            stages.train(line(), data(), OPT, stream=1, config=OPT, name="mean")
    stages.train(line(), data(), OPT, stream=1, config=OPT, name="mean")
    assert not list(tmp_path.rglob("*.lock"))


def test_a_run_killed_as_it_begins_notes_its_seed_when_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(path: Path, about: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(runs, "write_json", killed)
        runs.Run.start(tmp_path, OPT, seed=3)
    runs.Run.start(tmp_path, OPT, seed=3)
    assert json.loads((tmp_path / "run.json").read_text())["seed"] == 3
    assert (tmp_path / "config.yaml").exists()


def test_initial_weights_leave_the_global_generator_alone(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    with Stages(tmp_path, 3).seeded(1):
        drawn = torch.randn(3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(derive(3, 1))
    assert torch.equal(torch.randn(3), drawn)


@pytest.fixture
def pace(monkeypatch: pytest.MonkeyPatch) -> Pace:
    """A tenth of a second for each step."""
    pace = Pace(0.1)
    monkeypatch.setattr(Pace, "of", lambda *given, **options: pace)
    return pace


def test_a_stage_takes_a_given_time_and_keeps_its_length(tmp_path: Path, pace: Pace) -> None:
    stages = Stages(tmp_path, 3, quiet=True, seconds=1.6)
    config, folder = replace(OPT, epochs=1), tmp_path / "timed"
    first = stages.train(line(), data(), config, stream=1, config=config, name="timed")
    length = json.loads((folder / "run.json").read_text())["length"]
    assert length == {"epochs": 3, "count": 42, "validations": 1}  # of five steps
    assert len(json.loads((folder / "metrics.json").read_text())) == 3
    again = replace(stages, seconds=60.0)
    more = again.train(line(), data(), config, stream=1, config=config, name="timed")
    assert torch.equal(first.linear.weight, more.linear.weight)
    assert len(json.loads((folder / "metrics.json").read_text())) == 3


def test_a_stage_without_time_for_one_epoch_learns_from_fewer_samples(
    tmp_path: Path, pace: Pace
) -> None:
    stages = Stages(tmp_path, 3, quiet=True, seconds=0.2)
    stages.train(line(), data(), OPT, stream=1, config=OPT, name="short")
    about = json.loads((tmp_path / "short" / "run.json").read_text())
    assert about["length"]["count"] == 2 * OPT.batch
    rows = json.loads((tmp_path / "short" / "metrics.json").read_text())
    assert [row["step"] for row in rows] == [2]
