"""The report of a model, and what is refused before anything is sampled."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from images.data.load import Images, LabelledImages
from images.evaluation.classifier import Evaluator
from images.evaluation.html_report import COLUMNS, SAMPLES, coarse_to_fine
from images.evaluation.plots import tiled
from images.evaluation.report import evaluate, markdown
from images.model import ImageModel
from refine_core.errors import InputError
from tests.images.tiny import IMAGES


@pytest.fixture
def judge() -> Evaluator:
    torch.manual_seed(0)
    return Evaluator(1, (11, 12), 2)


def test_report(model: ImageModel, judge: Evaluator, tmp_path: Path) -> None:
    report = evaluate(model, IMAGES, tmp_path, samples=64, judge=judge)
    pictures = {path.name for path in tmp_path.glob("*.png")}
    assert pictures == {"samples.png", "filmstrip.png", "usage.png", "comparison.png"}
    assert (tmp_path / "REPORT.md").read_text() == markdown(report)
    assert report.floor["frechet"] < report.generator["frechet"]
    saved = json.loads((tmp_path / "metrics.json").read_text())
    assert saved["generator"]["frechet"] == report.generator["frechet"]
    assert saved["generator"]["network_calls"] == 3 and saved["images"] == 64
    page = (tmp_path / "report.html").read_text()
    assert f"<strong>{report.generator['frechet']:.3g}</strong>" in page
    assert page.count("<img") == 4 and "1 of 3, scale " in page


def test_the_slider_ends_with_the_samples(model: ImageModel) -> None:
    slider = coarse_to_fine(model, seed=3)
    assert len(slider.frames) == len(model.schedule) == len(slider.choices["network call"])
    last = list(slider.frames.values())[-1]
    assert last.caption == f"{SAMPLES} samples after 3 calls" and isinstance(last.picture, bytes)
    shown = np.asarray(Image.open(io.BytesIO(last.picture)), np.float32) / 255
    expected = tiled(model.sample(SAMPLES, seed=3).clamp(0, 1), COLUMNS)[0]
    assert np.abs(shown - expected.numpy()).max() <= 0.5 / 255 + 1e-6


class Unsampled(ImageModel):
    """A model that must not be asked for samples."""

    def sample(self, *arguments: object, **options: object) -> torch.Tensor:
        raise AssertionError("sampled before it was checked")

    reconstruct = sample


def without_labels(images: LabelledImages) -> LabelledImages:
    return LabelledImages(images.images, None)


SMALL = LabelledImages(torch.zeros(9, 1, 8, 8), torch.zeros(9, dtype=torch.int64))


@pytest.mark.parametrize(
    ("images", "judge", "samples", "sentence"),
    [
        (IMAGES, Evaluator(), 64, r"\(1, 11, 12\) and an evaluator for \(1, 28, 28\)"),
        (IMAGES, Evaluator(1, (11, 12), 1), 64, "the label 1 and an evaluator of 1 classes"),
        (Images(SMALL, SMALL, 1), Evaluator(1, (8, 8), 2), 64, "makes images of shape"),
        (replace(IMAGES, classes=3), Evaluator(1, (11, 12), 3), 64, "has 2 classes, the data 3"),
        (replace(IMAGES, test=without_labels(IMAGES.test)), None, 64, "has no labels"),
        (IMAGES, Evaluator(1, (11, 12), 2), 5, "Found 5 images to compare, expected 6 or more"),
        (IMAGES, Evaluator(1, (11, 12), 2), 0, "Found 0 images to compare"),
    ],
)
def test_mistakes_are_found_before_sampling(
    model: ImageModel, images: Images, judge: Evaluator | None, samples: int, sentence: str
) -> None:
    unsampled = Unsampled(model.refiner, model.config, model.shape, model.classes)
    with pytest.raises(InputError, match=sentence):
        evaluate(unsampled, images, samples=samples, judge=judge or Evaluator(1, (11, 12), 2))
