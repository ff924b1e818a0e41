"""The stages of a run: folders, random streams, and what they leave as it was."""

from pathlib import Path

import pytest
import torch

from refine_core.errors import InputError
from refine_core.noise import derive
from refine_core.training.fit import fit
from refine_core.training.stages import Stages
from tests.refine_core.training.test_fit import OPT, data, line


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


def test_initial_weights_leave_the_global_generator_alone(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    with Stages(tmp_path, 3).seeded(1):
        drawn = torch.randn(3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(derive(3, 1))
    assert torch.equal(torch.randn(3), drawn)
