"""Pyramids of pixels: as many tokens as latents, nothing lost by exact codes, codebooks learnt."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from images.networks import Decoder, Encoder
from images.study.pixel_pyramid import (
    PatchPyramid,
    PixelTokenizer,
    fit_codebooks,
    latent_tokenizer,
)
from images.study.spaces import LatentSpace
from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.pyramid import area
from refine_core.quantizers.exact import Exact
from refine_core.quantizers.product import ProductQuantizer
from refine_core.quantizers.vq import VQ
from refine_core.residual import ResidualTokenizer
from refine_core.schedule import ScaleSchedule

SIZES = [(1, 1), (2, 2), (4, 4), (7, 7)]
IMAGES = torch.randint(256, (6, 1, 28, 28), generator=torch.Generator().manual_seed(0)) / 255


def exact(parts: tuple[int, ...] = (1,), *, dequantise: bool = True) -> PixelTokenizer:
    schedule = ScaleSchedule.of(SIZES, parts=parts)
    return PixelTokenizer(schedule, [Exact(16)] * len(schedule), dequantise=dequantise)


def test_as_many_tokens_as_a_latent_pyramid() -> None:
    tokens = exact()
    assert [tuple(code.shape[1:]) for code in tokens.encode(IMAGES)] == [
        (1, 16),
        (4, 16),
        (16, 16),
        (49, 16),
    ]


def test_resampling_acts_on_pixels() -> None:
    pyramid, pixels = PatchPyramid(SIZES, 4), area([(4, 4), (8, 8), (16, 16), (28, 28)])
    patches = F.pixel_unshuffle(IMAGES, 4)
    for source, target in ((3, 1), (3, 0), (3, 3)):
        found = F.pixel_shuffle(pyramid.resample(patches, source, target), 4)
        assert torch.allclose(found, pixels.resample(IMAGES, source, target), atol=1e-6)
    coarse = F.pixel_unshuffle(pixels.resample(IMAGES, 3, 1), 4)
    back = F.pixel_shuffle(pyramid.resample(coarse, 1, 3), 4)
    assert torch.allclose(back, pixels.resample(pixels.resample(IMAGES, 3, 1), 1, 3), atol=1e-6)


@pytest.mark.parametrize("parts", [(1,), (1, 2, 1, 3)])
def test_exact_codes_lose_nothing(parts: tuple[int, ...]) -> None:
    tokens = exact(parts)
    assert torch.allclose(tokens.decode(tokens.encode(IMAGES)), IMAGES, atol=1e-5)
    # Coarse codes alone show the image reduced and expanded again.
    coarse = tokens.decode(tokens.encode(IMAGES)[:1])
    pixels = area([(4, 4), (28, 28)])
    wanted = pixels.resample(pixels.resample(IMAGES, 1, 0), 0, 1).clamp(0, 1)
    assert torch.allclose(coarse, wanted, atol=1e-2)


def test_dequantisation_needs_noise_and_a_wish() -> None:
    tokens, noise = exact(), Noise.range(0, 6)
    plain = exact(dequantise=False)
    assert torch.equal(tokens.features(IMAGES), plain.features(IMAGES, noise))
    moved = (tokens.features(IMAGES, noise) - tokens.features(IMAGES)).abs()
    assert 0 < float(moved.max()) <= 0.5 / 128 + 1e-6
    with pytest.raises(InputError, match="28, 28"):
        tokens.features(IMAGES[..., :24])


def test_codebooks_learn_without_gradients() -> None:
    draw = torch.Generator().manual_seed(0)
    kinds = torch.rand(12, 1, 28, 28, generator=draw).mul(255).round() / 255
    images = kinds[torch.randint(12, (200,), generator=draw)]
    schedule = ScaleSchedule.of(SIZES)
    for quantizers in (
        [VQ(16, 16, decay=0.9) for _ in SIZES],
        [ProductQuantizer(4, 16, 16, decay=0.9) for _ in SIZES],
    ):
        tokens = PixelTokenizer(schedule, quantizers)
        fit_codebooks(tokens, images, batch=100, rounds=2)
        assert not tokens.training and not list(tokens.parameters())
        errors = [
            float((tokens.decode(tokens.encode(images)[: k + 1]) - images).square().mean())
            for k in range(4)
        ]
        assert errors == sorted(errors, reverse=True)
        # Twelve images need twelve codes at the coarsest scale: nothing is lost there.
        kept = tokens.trace(tokens.features(images)).states[1]
        whole = exact(dequantise=False).trace(tokens.features(images)).states[1]
        assert torch.allclose(kept, whole, atol=0.05)


def latents() -> LatentSpace:
    torch.manual_seed(0)
    autoencoder = ResidualTokenizer(
        ScaleSchedule.of([(7, 7)]),
        area([(7, 7)]),
        [VQ(8, 6)],
        Encoder(1, 6, 8, 1, 4),
        Decoder(1, (28, 28), 6, 8, 1, 4),
    )
    return LatentSpace(autoencoder, IMAGES)


def test_latent_pyramids_share_an_autoencoder() -> None:
    space = latents()
    for sizes in ([(7, 7)], SIZES):
        tokens = latent_tokenizer(space, ScaleSchedule.of(sizes), [Exact(6)] * len(sizes))
        features = tokens.features(IMAGES)
        assert torch.allclose(features.mean((0, 2, 3)), torch.zeros(6), atol=1e-4)
        assert torch.allclose(features.std((0, 2, 3)), torch.ones(6), atol=1e-3)
        decoded = space.tokenizer.decode(space.tokenizer.encode(IMAGES))
        assert torch.allclose(tokens.decode(tokens.encode(IMAGES)), decoded, atol=1e-4)
        assert not any(p.requires_grad for p in tokens.parameters())
    with pytest.raises(InputError, match="end the schedule"):
        latent_tokenizer(space, ScaleSchedule.of([(4, 4)]), [Exact(6)])
    assert isinstance(space, nn.Module)
