"""Laws of the decoder's training against a discriminator."""

import torch

from images.adversarial import AdversarialDecoder, WithStates
from images.build import build_tokenizer
from images.config import TokenizerConfig
from refine_core.noise import Noise
from refine_core.residual import ResidualTokenizer

CONFIG = TokenizerConfig(sizes=(1, 2), codes=(8,), dim=4, width=8, blocks=0, patch=4)
IMAGES = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def tokenizer() -> ResidualTokenizer:
    torch.manual_seed(0)
    return build_tokenizer(CONFIG, 1, (8, 8))


def test_only_decoder_and_discriminator_learn() -> None:
    module = AdversarialDecoder(tokenizer(), (1, 8, 8), fidelity=1.0).train()
    states = torch.randn(3, 4, 2, 2)
    module((IMAGES, states), Noise.range(0, 6))["loss"].backward()
    learning = {name for name, p in module.named_parameters() if p.grad is not None}
    parts = ("tokenizer.decoder.", "discriminator.")
    assert learning == {n for n, _ in module.named_parameters() if n.startswith(parts)}


def test_neither_learns_from_the_other_ones_loss() -> None:
    """The discriminator's gradient is that of its own loss, and so is the decoder's."""
    for name, part in (("discriminator", "discriminator"), ("decoder", "tokenizer.decoder")):
        module = AdversarialDecoder(tokenizer(), (1, 8, 8), fidelity=0.0).eval()
        losses = module((IMAGES,), Noise.range(0, 6))
        losses[name].backward(retain_graph=True)
        own = [p.grad.clone() for p in module.get_submodule(part).parameters()]  # type: ignore[union-attr]
        module.zero_grad()
        losses["loss"].backward()
        both = [p.grad for p in module.get_submodule(part).parameters()]
        assert any(bool(grad.count_nonzero()) for grad in own)
        for a, b in zip(own, both, strict=True):
            assert b is not None and torch.allclose(a, b)


def test_states_go_round() -> None:
    data = WithStates(IMAGES, torch.arange(4.0)[:, None], 0.5)
    images, states = data[torch.tensor([5, 2, 0, 1])]
    assert images.shape == (4, 1, 8, 8) and states.flatten().tolist() == [1, 2, 0]


def test_which_images_have_a_state_does_not_depend_on_the_batch() -> None:
    data = WithStates(torch.zeros(1000, 1, 2, 2), torch.arange(1000.0)[:, None], 0.3)
    index = torch.randperm(1000)
    parts = torch.cat([data[part][1] for part in index.split(7)])
    assert torch.equal(parts, data[index][1]) and len(parts) == 300
