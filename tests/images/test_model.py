"""A trained model samples, reconstructs, edits, is saved and loaded."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from images.build import build_network
from images.model import ImageModel, load
from refine_core.errors import InputError
from refine_core.sampling.intermediates import Intermediates
from tests.cards import made_by_card
from tests.images.tiny import CONFIG, IMAGES

SOME = IMAGES.test.images[:5]


def test_saved_model_is_the_same(model: ImageModel, tmp_path: Path) -> None:
    model.save(tmp_path / "model.safetensors", half=False)
    again = load(tmp_path)
    assert again.config == model.config and again.shape == (1, 11, 12)
    assert torch.equal(again.sample(4, seed=1), model.sample(4, seed=1))
    model.save(tmp_path / "half.safetensors")
    close = load(tmp_path / "half.safetensors").reconstruct(SOME)
    assert (close - model.reconstruct(SOME)).abs().mean() < 1e-2


def test_samples_depend_on_seed_and_index_only(model: ImageModel) -> None:
    whole = model.sample(10, seed=5)
    assert torch.allclose(model.sample(10, seed=5, batch=3), whole, atol=1e-6)
    assert torch.allclose(model.sample(4, seed=5), whole[:4], atol=1e-6)
    assert torch.allclose(model.sample(10, seed=5, cached=False), whole, atol=1e-5)
    assert not torch.allclose(model.sample(10, seed=6), whole, atol=1e-2)


def test_samples_are_the_same_for_any_number_of_workers(model: ImageModel) -> None:
    options: dict[str, Any] = {"seed": 5, "batch": 3, "labels": 1}
    alone = model.sample(10, workers=1, **options)
    assert torch.equal(model.sample(10, workers=2, **options), alone)
    assert torch.equal(model.sample(10, **options), alone)


def test_steps_end_with_the_sample_and_pass_through_the_coarse_ones(model: ImageModel) -> None:
    steps = model.sample_steps(4, seed=1)
    assert len(steps) == len(model.schedule) == 3
    for scales, step in enumerate(steps, 1):
        assert torch.allclose(model.sample(4, seed=1, scales=scales), step, atol=1e-6)
    assert torch.equal(steps[-1], model.sample(4, seed=1))


def test_no_scales_decode_zeros(model: ImageModel) -> None:
    tokens = model.tokenizer
    nothing = tokens.finish(tokens.start(5)).detach()
    assert torch.equal(model.reconstruct(SOME, scales=0), nothing)
    assert torch.equal(model.sample(5, scales=0), nothing)
    assert torch.equal(model.super_resolve(SOME, 0, labels=1), model.sample(5, labels=1))


def test_inpainting_leaves_the_rest(model: ImageModel) -> None:
    mask = torch.zeros(11, 12, dtype=torch.bool)
    assert torch.equal(model.inpaint(SOME, mask), SOME)
    mask[:6, :6] = True
    found = model.inpaint(SOME, mask, labels=0)
    assert torch.equal(found[..., ~mask], SOME[..., ~mask])
    assert not torch.allclose(found[..., mask], SOME[..., mask], atol=1e-2)


def test_super_resolution_keeps_the_coarse_codes(model: ImageModel) -> None:
    assert torch.allclose(model.super_resolve(SOME, 3), model.reconstruct(SOME), atol=1e-6)


@pytest.mark.parametrize("scales", [-1, 4, 9])
def test_scales_that_the_model_does_not_have(model: ImageModel, scales: int) -> None:
    sentence = f"Found {scales} scales, expected a number from 0 to 3"
    with pytest.raises(InputError, match=sentence):
        model.sample(2, scales=scales)
    with pytest.raises(InputError, match=sentence):
        model.reconstruct(SOME, scales)
    with pytest.raises(InputError, match=sentence):
        model.super_resolve(SOME, scales)


def test_more_images_than_memory_holds_are_refused_at_once(model: ImageModel) -> None:
    with pytest.raises(InputError, match=r"A batch of 1000000000 images takes 528 GB of memory"):
        model.sample(10**9)


@pytest.mark.parametrize("count", [0, -5])
def test_counts_are_positive(model: ImageModel, count: int) -> None:
    expected = f"{count}, expected a whole number above 0"
    with pytest.raises(InputError, match=f"Found count {expected}"):
        model.sample(count)
    with pytest.raises(InputError, match=f"Found batch {expected}"):
        model.sample(2, batch=count)
    with pytest.raises(InputError, match=f"Found batch {expected}"):
        model.reconstruct(SOME, batch=count)


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (2, "0 to 1, found 2"),
        (10**9, "0 to 1, found 1000000000"),
        (-2, "0 to 1, found -2"),
        ([0, 1, 0], "3 labels for 4 images"),
        (torch.tensor([0.5, 1, 0, 1]), "expected whole numbers"),
        (torch.zeros(4, 1, dtype=torch.int64), r"shape \(4, 1\)"),
    ],
)
def test_labels_are_checked(
    model: ImageModel, labels: int | list[int] | Tensor, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        model.sample(4, labels=labels)


def test_images_and_masks_are_checked(model: ImageModel) -> None:
    wide = torch.zeros(2, 1, 11, 13)
    with pytest.raises(InputError, match=r"shape \(2, 1, 11, 13\), expected one or more of"):
        model.reconstruct(wide)
    with pytest.raises(InputError, match=r"shape \(0, 1, 11, 12\)"):
        model.super_resolve(SOME[:0], 1)
    with pytest.raises(InputError, match=r"a mask of torch.bool and shape \(11, 13\)"):
        model.inpaint(SOME, wide[0, 0] > 0)
    with pytest.raises(InputError, match="a mask of torch.float32"):
        model.inpaint(SOME, torch.zeros(11, 12))


def test_a_model_without_classes_takes_no_labels() -> None:
    model = ImageModel(build_network(CONFIG, (1, 11, 12), 0), CONFIG, (1, 11, 12), 0)
    assert model.sample(2).shape == (2, 1, 11, 12)
    with pytest.raises(InputError, match="no classes, so it takes no labels"):
        model.sample(2, labels=0)


def test_sampling_settings_fit_the_scales(model: ImageModel) -> None:
    cold = model.with_sampling(temperature=(0.0,), guidance=(0.0, 0.5, 1.0))
    assert torch.equal(cold.sample(2, seed=1, labels=0), cold.sample(2, seed=2, labels=0))
    with pytest.raises(InputError, match="guidance has 2 values for 3 scales"):
        model.with_sampling(guidance=(0.0, 1.0))
    with pytest.raises(InputError, match="temperature.*a number of at least 0"):
        model.with_sampling(temperature=(-1.0,))


def test_a_shared_model_is_loaded_as_its_card_says(
    model: ImageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.save_pretrained(tmp_path, half=False)
    found = made_by_card(tmp_path, "images", monkeypatch)
    assert torch.equal(found["made"], model.sample(4, seed=0))
    assert torch.equal(load(tmp_path).sample(4, seed=0), found["made"])


def test_what_is_called_after_each_scale_sees_every_image(model: ImageModel) -> None:
    steps = Intermediates[torch.Tensor]()
    images = model.sample(5, seed=1, batch=2, after_scale=steps)
    assert [step.scale for step in steps] == [0, 1, 2] * 3
    assert torch.cat([step.index for step in steps if step.scale == 2]).tolist() == [*range(5)]
    for scale in range(3):
        seen = torch.cat([step.data for step in steps if step.scale == scale])
        assert torch.allclose(seen, model.sample(5, seed=1, scales=scale + 1), atol=1e-6)
    assert torch.equal(torch.cat([steps[k].data for k in (2, 5, 8)]), images)

    def stop(step: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.sample(5, after_scale=stop)
