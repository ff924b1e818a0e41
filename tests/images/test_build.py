"""Every kind of tokeniser trains, and carries a generator that trains and samples."""

from dataclasses import replace

import pytest
import torch

from images.build import build, build_tokenizer
from images.config import TokenizerConfig
from refine_core.errors import InputError
from refine_core.noise import Noise
from tests.images.tiny import CONFIG, IMAGES

TOKENIZER = CONFIG.tokenizer


@pytest.mark.parametrize(
    "config",
    [
        replace(TOKENIZER, quantizer="fsq", levels=(5, 4, 3)),
        replace(TOKENIZER, quantizer="bitwise", dim=6),
        replace(TOKENIZER, quantizer="bitwise", sizes=(4,), codes=(2,)),
        replace(TOKENIZER, quantizer="product", groups=2),
        replace(TOKENIZER, codebooks="shared", codes=(8,)),
        replace(TOKENIZER, codebooks="base"),
        replace(TOKENIZER, loop="open", phi=False),
    ],
    ids=["fsq", "bitwise", "one scale", "product", "shared", "base", "open"],
)
def test_every_kind_of_tokeniser(config: TokenizerConfig) -> None:
    tokens = build_tokenizer(config, 1, (11, 12)).train()
    x, labels = IMAGES.train.images[:32], IMAGES.train.labels
    assert labels is not None
    for step in range(2):
        tokens((x,), Noise(step, torch.arange(32)))["loss"].backward()
        tokens.after_step()
    refiner = build(CONFIG.generator, tokens.eval(), 2)
    refiner((x, labels[:32]), Noise(0, torch.arange(32)))["loss"].backward()
    noise, classes = Noise(0, torch.arange(3)), torch.tensor([0, 1, -1])
    trace = refiner.eval().sample_trace(noise, classes)
    found = tokens.finish(trace.states[-1])
    assert found.shape == (3, 1, 11, 12) and found.isfinite().all()
    # What is drawn step by step is what the laws of the whole trace give, and what codes say.
    laws = refiner.distributions(trace.states[:-1], classes)
    for k, (law, code) in enumerate(zip(laws, trace.codes, strict=True)):
        assert torch.equal(law.sample(noise.fork(k)), code)
        assert int(code.min()) >= 0 and int(code.max()) < tokens.digit_values(k)
    assert torch.allclose(tokens.decode(trace.codes), found, atol=1e-5)
    # Codes of images decode to the last state of their trace, and tell images apart.
    codes, states = tokens.encode(x), tokens.trace(tokens.features(x)).states
    assert torch.allclose(tokens.decode(codes), tokens.finish(states[-1]), atol=1e-5)
    assert len(torch.cat([code.flatten(1) for code in codes], 1).unique(dim=0)) > 1


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="must end with 4, found 7"):
        build_tokenizer(replace(TOKENIZER, sizes=(1, 7)), 1, (11, 12))
    with pytest.raises(InputError, match="tokenizer.codes` has 2 values for 3 scales"):
        build_tokenizer(replace(TOKENIZER, codes=(4, 8)), 1, (11, 12))
