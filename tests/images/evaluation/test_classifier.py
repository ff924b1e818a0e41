from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from images.data.load import Images, LabelledImages
from images.evaluation import classifier
from images.evaluation.classifier import (
    RECIPE,
    SHIFT,
    WEIGHTS,
    Evaluation,
    Evaluator,
    load_evaluator,
    shifted,
    train_evaluator,
)
from images.evaluation.metrics import class_accuracy, frechet
from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.storage.files import sha256

QUICK = replace(RECIPE, epochs=8, batch=32)


def stripes(n: int, seed: int) -> LabelledImages:
    """Noisy colour images with a horizontal stripe, a vertical one, or none."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(n, 2, 9, 12, generator=generator) * 0.5
    labels = torch.arange(n) % 3
    images[labels == 0, :, 4] = 1
    images[labels == 1, :, :, 6] = 1
    return LabelledImages(images, labels)


STRIPES = Images(stripes(384, 0), stripes(90, 1), classes=3)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Evaluator:
    path = tmp_path_factory.mktemp("weights") / "own.safetensors"
    found = train_evaluator(STRIPES, path, QUICK, seed=3, quiet=True)
    assert found.digest == sha256(path)
    return found


def test_learns_images_of_another_shape(trained: Evaluator) -> None:
    assert trained.accuracy(STRIPES.test) > 0.95
    seen = trained.evaluate(STRIPES.test.images)
    assert seen.features.shape == (90, 64) and seen.logits.shape == (90, 3)


def test_is_frozen_and_sees_each_image_alone(trained: Evaluator) -> None:
    assert not trained.training and not any(p.requires_grad for p in trained.parameters())
    whole = trained.evaluate(STRIPES.test.images)
    parts = trained.evaluate(STRIPES.test.images, batch=7)
    torch.testing.assert_close(whole.features, parts.features)
    trained.train()
    torch.testing.assert_close(trained.evaluate(STRIPES.test.images).logits, whole.logits)


def test_weights_on_disk_are_half_and_tell_everything(trained: Evaluator, tmp_path: Path) -> None:
    path = tmp_path / "again.safetensors"
    again = train_evaluator(STRIPES, path, QUICK, seed=3, quiet=True)
    assert again.digest == trained.digest  # the same seed gives the same file
    loaded = load_evaluator(path)
    assert (loaded.channels, loaded.size, loaded.classes) == (2, (9, 12), 3)
    seen, expected = (x.evaluate(STRIPES.test.images) for x in (loaded, trained))
    assert torch.equal(seen.features, expected.features)
    assert torch.equal(seen.logits, expected.logits)
    floating = [t for t in load_file(path).values() if t.is_floating_point()]
    assert floating and all(t.dtype == torch.float16 for t in floating)


def test_shifts_are_windows_of_the_image_and_follow_the_noise() -> None:
    images = torch.rand(60, 2, 5, 6, generator=torch.Generator().manual_seed(0))
    noise = Noise(0, torch.arange(60))
    moved = shifted(images, noise)
    padded = F.pad(images, (SHIFT,) * 4, mode="replicate")
    seen = set()
    for n in range(60):
        y, x = next(
            (y, x)
            for y in range(2 * SHIFT + 1)
            for x in range(2 * SHIFT + 1)
            if torch.equal(moved[n], padded[n, :, y : y + 5, x : x + 6])
        )
        seen.add((y, x))
    assert len(seen) > 18  # of 25
    part = shifted(images[10:13], Noise(0, torch.arange(10, 13)))
    assert torch.equal(part, moved[10:13])


@pytest.mark.parametrize("size", [(3, 5), (28, 28), (32, 20), (65, 64)])
def test_any_size(size: tuple[int, int]) -> None:
    seen = Evaluator(3, size, 4).evaluate(torch.rand(2, 3, *size))
    assert seen.features.shape == (2, 64) and seen.logits.shape == (2, 4)


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\(1, 8, 8\) and an evaluator for \(1, 28, 28\)"):
        Evaluator().evaluate(torch.zeros(2, 1, 8, 8))
    without = LabelledImages(STRIPES.train.images, None)
    with pytest.raises(InputError, match="have no labels"):
        train_evaluator(Images(without, without, 0), tmp_path / "never")
    with pytest.raises(InputError, match="There is no model .*never"):
        load_evaluator(tmp_path / "never")


# --- the weights of the package ------------------------------------------------------------------


def test_other_weights_do_not_pass_for_those_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytearray(WEIGHTS.read_bytes())
    content[-1] ^= 1
    (tmp_path / "changed").write_bytes(content)
    assert load_evaluator(tmp_path / "changed").digest != load_evaluator().digest
    monkeypatch.setattr(classifier, "WEIGHTS", tmp_path / "changed")
    with pytest.raises(InputError, match="install refine again"):
        load_evaluator()


@pytest.fixture(scope="module")
def network() -> Evaluator:
    return load_evaluator()


@pytest.fixture(scope="module")
def real(network: Evaluator, digits: Images) -> Evaluation:
    """All test images of MNIST as the evaluator sees them."""
    return network.evaluate(digits.test.images)


def test_knows_the_digits(real: Evaluation, digits: Images) -> None:
    assert WEIGHTS.stat().st_size < 1_000_000
    assert digits.test.labels is not None
    assert class_accuracy(real.logits, digits.test.labels) >= 0.993


def test_features_are_standardised(real: Evaluation) -> None:
    assert float(real.features.mean(0).abs().max()) < 0.3
    assert float(real.features.var(0).mean()) == pytest.approx(1, abs=0.2)


def test_distance_sees_what_a_person_sees(
    network: Evaluator, real: Evaluation, digits: Images
) -> None:
    """Blur, noise, a missing class and one class alone are each worse than other digits are."""
    assert digits.test.labels is not None
    images, features, labels = (
        each[:1000] for each in (digits.test.images, real.features, digits.test.labels)
    )

    def distance(images: Tensor) -> float:
        return frechet(features, network.evaluate(images).features)

    others = frechet(features, real.features[1000:2000])
    generator = torch.Generator().manual_seed(0)
    noisy = (images + 0.1 * torch.randn(images.shape, generator=generator)).clamp(0, 1)
    missing = frechet(features, features[labels != 7])
    noise = distance(noisy)
    assert others < min(distance(F.avg_pool2d(images, 3, 1, 1)), noise, missing)
    assert noise < frechet(features, features[labels == 7])
