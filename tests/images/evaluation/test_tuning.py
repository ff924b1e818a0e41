"""Tuning: the rule by which a way to sample is chosen."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from images.data.load import Images, LabelledImages
from images.evaluation.classifier import Evaluation, Evaluator
from images.evaluation.tuning import save_candidates, tune
from images.model import ImageModel
from refine_core.errors import InputError
from tests.images.tiny import IMAGES


class Oracle(Evaluator):
    """Knows stripes: a row is alike in class 0, a column in class 1."""

    def __init__(self) -> None:
        super().__init__(1, (11, 12), 2)

    def evaluate(self, images: Tensor, batch: int = 500) -> Evaluation:
        rows, columns = images.var(3).mean((1, 2)), images.var(2).mean((1, 2))
        logits = torch.stack([columns, rows], 1)
        return Evaluation(torch.cat([logits, images.mean((2, 3))], 1), logits)


def test_the_best_is_chosen_by_the_rule(model: ImageModel, tmp_path: Path) -> None:
    said: list[str] = []
    tuned, candidates = tune(
        model,
        IMAGES,
        Oracle(),
        guidance=(0.0, 1.0),
        temperature=(0.5, 1.0),
        power=(0.0, 2.0),
        samples=64,
        accuracy=0.0,
        say=said.append,
    )
    settings = [(each.guidance, each.temperature, each.power) for each in candidates]
    assert settings == [  # without guidance, the power makes no difference
        *[(0.0, 0.5, 0.0), (0.0, 1.0, 0.0)],
        *[(1.0, 0.5, 0.0), (1.0, 0.5, 2.0), (1.0, 1.0, 0.0), (1.0, 1.0, 2.0)],
    ]
    best = min(candidates, key=lambda each: each.frechet)
    assert tuned.config.sampling.temperature == (best.temperature,)
    assert tuned.config.sampling.guidance[-1] == best.guidance
    assert said == [str(each) for each in candidates]
    save_candidates(candidates, tmp_path / "tuning.json")
    rows = json.loads((tmp_path / "tuning.json").read_text())
    assert [row["power"] for row in rows] == [each.power for each in candidates]


def test_where_none_is_recognised_the_most_accurate_is_taken_aloud(model: ImageModel) -> None:
    said: list[str] = []
    tuned, candidates = tune(
        model,
        IMAGES,
        Oracle(),
        guidance=(0.0, 2.0),
        temperature=(1.0,),
        power=(0.0,),
        samples=64,
        accuracy=1.1,
        say=said.append,
    )
    best = max(candidates, key=lambda each: each.accuracy)
    assert tuned.config.sampling.guidance[0] == best.guidance
    assert "the most accurate is taken" in said[-1]


def refused(
    model: ImageModel,
    *,
    judge: Evaluator | None = None,
    images: Images = IMAGES,
    guidance: tuple[float, ...] = (1.0,),
    temperature: tuple[float, ...] = (1.0,),
    samples: int = 4,
) -> str:
    with pytest.raises(InputError) as error:
        tune(
            model,
            images,
            judge or Oracle(),
            guidance=guidance,
            temperature=temperature,
            samples=samples,
        )
    return str(error.value)


def test_mistakes(model: ImageModel) -> None:
    assert "Found nothing to try" in refused(model, guidance=())
    assert "Found 1 images to compare, expected 2 or more" in refused(model, samples=1)
    assert "an evaluator for" in refused(model, judge=Evaluator())
    assert "temperature" in refused(model, temperature=(-1.0,))
    part = LabelledImages(IMAGES.train.images, None)
    assert "no labels" in refused(model, images=Images(part, part, 0))
