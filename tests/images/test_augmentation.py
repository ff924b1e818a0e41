"""Changed training images: what changes them, and what the network is told."""

import pytest
import torch
from torch import Tensor

from images.augmentation import AugmentedTraining, affine
from images.build import build, build_tokenizer
from images.config import AugmentationConfig, GeneratorConfig, TokenizerConfig
from refine_core.grid import ANY_CLASS, GridEmbed
from refine_core.noise import Noise

STILL = AugmentationConfig(share=1.0, rotation=0, shear=0, scaling=0, shift=0)


def images(count: int = 6) -> Tensor:
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def trained(share: float) -> AugmentedTraining:
    torch.manual_seed(0)
    tokens = build_tokenizer(TokenizerConfig(sizes=(1, 2), codes=(4,), dim=4, width=8), 1, (8, 8))
    config = GeneratorConfig(
        dim=16, depth=1, heads=2, augmentation=AugmentationConfig(share=share)
    )
    refiner = build(config, tokens, 3)
    for parameter in refiner.transformer.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return AugmentedTraining(refiner, config.augmentation).eval()


def test_maps_of_no_size_change_nothing_and_others_do() -> None:
    assert torch.allclose(affine(images(), Noise.range(0, 6), STILL), images(), atol=1e-5)
    moved = affine(images(), Noise.range(0, 6), AugmentationConfig(share=1.0))
    assert bool(((moved - images()).abs().flatten(1).amax(1) > 0.1).all())


def test_each_image_has_its_own_map_whatever_the_batch() -> None:
    config = AugmentationConfig(share=1.0)
    whole = affine(images(), Noise.range(0, 6), config)
    part = affine(images()[4:], Noise(0, torch.tensor([4, 5])), config)
    assert torch.allclose(whole[4:], part, atol=1e-6)
    same = affine(images()[:1].expand(2, -1, -1, -1), Noise.range(0, 2), config)
    assert not torch.allclose(same[0], same[1], atol=1e-2)


def test_a_turn_is_a_turn() -> None:
    config = AugmentationConfig(share=1.0, rotation=90, shear=0, scaling=0, shift=0)
    bar = torch.zeros(1, 1, 9, 9)
    bar[:, :, 4] = 1
    noise = Noise.range(0, 1)
    angle = float(2 * noise.uniform(1, 5)[0, 0] - 1) * torch.pi / 2
    turned = affine(bar, noise, config)[0, 0]
    place = torch.nonzero(turned > 0.5).double() - 4
    found = torch.linalg.svd(place - place.mean(0)).Vh[0]
    assert abs(abs(float(found[0] / found[1])) - abs(float(torch.tan(torch.tensor(angle))))) < 0.2


def test_the_network_is_told_which_are_changed() -> None:
    embed = trained(0.5).refiner.embed
    assert isinstance(embed, GridEmbed)
    labels = torch.tensor([0, 2, ANY_CLASS])
    other = embed.other_kind(labels)
    vectors = embed.condition(torch.cat([labels, other]), 6)
    assert len(torch.unique(vectors.detach(), dim=0)) == 6
    gone = embed.drop(torch.cat([labels, other]), torch.ones(6, dtype=torch.bool))
    dropped = embed.condition(gone, 6)
    assert torch.equal(dropped[:3], embed.condition(None, 3))
    assert torch.equal(dropped[3:], vectors[5:].expand(3, -1))


@pytest.mark.parametrize("labelled", [True, False])
def test_no_share_is_no_augmentation(labelled: bool) -> None:
    for share, same in ((0.0, True), (1.0, False)):
        module, noise = trained(share), Noise.range(0, 6)
        batch = (images(), torch.arange(6) % 3) if labelled else (images(),)
        loss = module(batch, noise)["loss"]
        assert torch.isfinite(loss)
        assert (loss == module.refiner(batch, noise)["loss"]) == same
