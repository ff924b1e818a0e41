"""Distilling a model of images: the student is a model like any other, over the same codes."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from images.code_metrics import code_bits
from images.config import DistillationConfig
from images.distillation import distil
from images.model import ImageModel, load
from images.training import train
from refine_core.errors import InputError
from refine_core.heads.config import HeadConfig
from tests.images.tiny import CONFIG, IMAGES, TRAINING

JOINT = HeadConfig(kind="depth", across="tokens", width=16, depth=1, heads=2, base=True)
TASK = DistillationConfig(name="few", model="parts", head=JOINT, training=TRAINING)
PARTS = replace(
    CONFIG,
    name="parts",
    tokenizer=replace(CONFIG.tokenizer, parts=(1, 4, 2)),
    sampling=replace(CONFIG.sampling, guidance=(0.0, 0.5, 0.5, 0.5, 1.5, 1.0, 2.0)),
)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> ImageModel:
    """A model of seven calls."""
    return train(PARTS, IMAGES, tmp_path_factory.mktemp("teacher"), quiet=True)


def test_a_student_is_a_model_of_fewer_calls(teacher: ImageModel, tmp_path: Path) -> None:
    student = distil(teacher, TASK, IMAGES, tmp_path, quiet=True)
    assert (len(teacher.schedule), len(student.schedule)) == (7, 3)
    x = IMAGES.test.images[:8]
    codes = torch.cat(teacher.tokenizer.encode(x), 1)
    assert torch.equal(codes, torch.cat(student.tokenizer.encode(x), 1))
    assert torch.equal(teacher.reconstruct(x), student.reconstruct(x))
    assert student.config.sampling.guidance == (0.0,)
    assert code_bits(student.refiner, x, None) < 1000
    loaded = load(tmp_path / "few")
    assert torch.allclose(loaded.sample(4, seed=1), student.sample(4, seed=1), atol=0.05)
    assert loaded.super_resolve(x, 2).shape == x.shape
    part = student.sample(3, labels=torch.tensor([0, 1, 0]), batch=2)
    whole = student.sample(3, labels=torch.tensor([0, 1, 0]), batch=3)
    assert torch.allclose(part, whole, atol=1e-5)


def test_a_finished_student_is_not_trained_again(teacher: ImageModel, tmp_path: Path) -> None:
    first = distil(teacher, TASK, IMAGES, tmp_path, quiet=True)
    rows = (tmp_path / "few/round_1/metrics.json").read_text()
    again = distil(teacher, TASK, IMAGES, tmp_path, quiet=True)
    assert torch.equal(first.sample(3), again.sample(3))
    assert (tmp_path / "few/round_1/metrics.json").read_text() == rows
    other = replace(TASK, seed=1)
    with pytest.raises(InputError, match="another seed"):
        distil(teacher, other, IMAGES, tmp_path, quiet=True)


def test_rounds_adapters_and_data_as_the_only_teacher(teacher: ImageModel, tmp_path: Path) -> None:
    rounds = replace(TASK, rounds=((1, 2, 1), (1, 1, 1)), guided=False, states="teacher")
    student = distil(teacher, rounds, IMAGES, tmp_path / "rounds", quiet=True)
    assert len(student.schedule) == 3
    assert student.config.sampling.guidance == (0.0, 0.75, 1.5)
    plain = replace(TASK, rounds=((1, 2, 1),), head=HeadConfig())
    adapted = distil(teacher, replace(plain, adapter=2), IMAGES, tmp_path / "adapter", quiet=True)
    same = distil(teacher, replace(plain, targets="data"), IMAGES, tmp_path / "data", quiet=True)
    assert adapted.refiner.state_dict().keys() == same.refiner.state_dict().keys()
    frozen = teacher.refiner.state_dict()["embed.enter.weight"]
    assert torch.equal(adapted.refiner.state_dict()["embed.enter.weight"], frozen)
    assert not torch.equal(same.refiner.state_dict()["embed.enter.weight"], frozen)
    assert same.config.sampling.guidance == pytest.approx((0.0, 0.5, 1.0, 1.5))


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        (replace(TASK, rounds=((1, 5, 1),)), "4 parts does not become one of 5"),
        (replace(TASK, rounds=((1, 2),)), "2 values for 3"),
        (replace(TASK, training=replace(TRAINING, batch=129)), "`training.batch` 129"),
    ],
)
def test_what_cannot_be_distilled(
    teacher: ImageModel, task: DistillationConfig, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=sentence):
        distil(teacher, task, IMAGES, tmp_path, quiet=True)
    assert not list(tmp_path.iterdir())
