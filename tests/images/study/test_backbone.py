"""Laws of the backbone, and equal parameters of all arms."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from images.build import build_tokenizer
from images.config import TokenizerConfig
from images.study.absorbing_diffusion import AbsorbingDiffusion
from images.study.backbone import Backbone, TransformerShape, matched
from images.study.flow_matching import FlowMatching
from images.study.gaussian_diffusion import GaussianDiffusion
from images.study.model import StudyModel
from images.study.spaces import CodeSpace, LatentSpace, PixelSpace
from refine_core.errors import InputError
from refine_core.training.step import trained_parameters
from tests.images.study.tiny import SHAPE

BUDGET = 1_200_000
TOKENIZER = build_tokenizer(
    TokenizerConfig(sizes=(7,), codes=(256,), dim=8, width=8, blocks=0), 1, (28, 28)
)
FULL = TransformerShape()
ARMS: dict[str, Callable[[], StudyModel]] = {
    "pixel diffusion": lambda: GaussianDiffusion.build(PixelSpace(), FULL, 10, BUDGET),
    "latent diffusion": lambda: GaussianDiffusion.build(
        LatentSpace(TOKENIZER, torch.rand(8, 1, 28, 28)), FULL, 10, BUDGET
    ),
    "pixel flow": lambda: FlowMatching.build(PixelSpace(), FULL, 10, BUDGET),
    "masked codes": lambda: AbsorbingDiffusion.build(CodeSpace(TOKENIZER), FULL, 10, BUDGET),
}


def network() -> Backbone:
    """A tiny backbone with random weights everywhere."""
    made = Backbone(SHAPE, (2, 3), 4, 5, 10)
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.3)
    return made.eval()


@pytest.mark.parametrize("name", ARMS)
def test_arms_have_the_same_number_of_parameters(name: str) -> None:
    arm = ARMS[name]()
    assert abs(trained_parameters(arm) - BUDGET) < 0.02 * BUDGET
    assert arm.tokens == 49


def test_a_budget_that_the_rest_exceeds_is_refused() -> None:
    with pytest.raises(InputError, match="ask for"):
        FlowMatching.build(PixelSpace(), FULL, 10, 100_000)


def test_matching_leaves_initial_weights_to_the_seed() -> None:
    torch.manual_seed(5)
    found = matched(lambda mlp: Backbone(SHAPE, (2, 2), 1, 1, 2, mlp), 15_000, SHAPE.dim)
    torch.manual_seed(5)
    hidden = found.transformer.blocks[0].mlp[0].out_features  # type: ignore[index, union-attr]
    again = Backbone(SHAPE, (2, 2), 1, 1, 2, (int(hidden) + 0.5) / SHAPE.dim)
    assert all(
        torch.equal(a, b) for a, b in zip(found.parameters(), again.parameters(), strict=True)
    )


def test_guidance_of_zero_is_the_conditional_call() -> None:
    net, values = network(), torch.randn(3, 4, 2, 3)
    time, labels = torch.tensor([0.1, 0.5, 0.9]), torch.tensor([0, 9, 4])
    with torch.no_grad():
        given, free = net(values, time, labels), net(values, time, torch.full((3,), -1))
        assert torch.equal(net.guided(values, time, labels, 0.0), given)
        guided = net.guided(values, time, labels, 1.5)
    torch.testing.assert_close(guided, 2.5 * given - 1.5 * free, rtol=1e-4, atol=1e-4)
    assert (given - free).abs().max() > 0.01


def test_time_and_place_matter() -> None:
    net, values = network(), torch.randn(1, 4, 1, 1).expand(2, 4, 2, 3)
    with torch.no_grad():
        out = net(values, torch.tensor([0.2, 0.21]), torch.tensor([1, 1]))
    assert (out[0] - out[1]).abs().max() > 1e-3
    assert (out[0, :, 0, 0] - out[0, :, 1, 2]).abs().max() > 1e-3
