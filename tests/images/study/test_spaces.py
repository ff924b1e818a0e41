"""Laws of pixels, latents and codes."""

import pytest
import torch

from images.build import build_tokenizer
from images.config import TokenizerConfig
from images.study.spaces import CodeSpace, LatentSpace, PixelSpace
from refine_core.errors import InputError
from refine_core.residual import ResidualTokenizer


def tokenizer(*sizes: int) -> ResidualTokenizer:
    config = TokenizerConfig(sizes=sizes, codes=(16,), dim=4, width=8, blocks=1)
    made = build_tokenizer(config, 1, (28, 28)).train()
    made.trace(made.features(torch.rand(16, 1, 28, 28)))
    made.after_step()
    return made.eval()


def test_pixels_are_kept() -> None:
    space, images = PixelSpace(), torch.rand(3, 1, 28, 28)
    values = space.encode(images)
    assert values.shape == (3, 16, 7, 7)
    assert float(values.min()) >= -1
    torch.testing.assert_close(space.decode(values), images)
    assert float(space.decode(3 * values).max()) == 1
    assert float(space.bound(3 * values).abs().max()) == 1
    with pytest.raises(InputError, match="28x28 for patches of 5"):
        PixelSpace(patch=5)


def test_latents_are_standard_and_decoded_through_the_quantiser() -> None:
    tokens, images = tokenizer(2, 7), torch.rand(40, 1, 28, 28)
    space = LatentSpace(tokens, images)
    values = space.encode(images)
    assert values.shape == (40, 4, 7, 7)
    torch.testing.assert_close(values.mean((0, 2, 3)), torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(values.std((0, 2, 3)), torch.ones(4), atol=1e-3, rtol=0)
    torch.testing.assert_close(space.decode(values), tokens.decode(tokens.encode(images)))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(space.encode(images), values), "frozen encoders stay exact"
    assert torch.equal(space.bound(9 * values), 9 * values)


def test_codes_are_those_of_the_tokenizer() -> None:
    tokens, images = tokenizer(7), torch.rand(5, 1, 28, 28)
    space = CodeSpace(tokens)
    codes = space.encode(images)
    assert codes.shape == (5, 49, 1)
    assert space.variables == 49
    torch.testing.assert_close(space.decode(codes), tokens.decode([codes]))
    with pytest.raises(InputError, match="a single scale"):
        CodeSpace(tokenizer(2, 7))


def test_nothing_of_an_autoencoder_is_trained() -> None:
    tokens = tokenizer(7)
    for space in (LatentSpace(tokens, torch.rand(8, 1, 28, 28)), CodeSpace(tokens)):
        space.train()
        assert not any(module.training for module in space.modules())
        assert not any(parameter.requires_grad for parameter in space.parameters())
