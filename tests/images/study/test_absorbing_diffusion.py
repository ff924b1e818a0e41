"""Laws of masked diffusion, on words of which the law is known."""

import math

import pytest
import torch
from torch import Tensor, nn

from images.study.absorbing_diffusion import AbsorbingDiffusion
from images.study.backbone import Backbone
from images.study.model import Setting
from refine_core.errors import InputError
from refine_core.noise import Noise
from tests.images.study.tiny import SHAPE, Letters, Words

COUNT = 6000


def arm(words: Words | None = None, draws: int = 20) -> AbsorbingDiffusion:
    """An arm that knows the law of words, or has random weights everywhere."""
    torch.manual_seed(0)
    made = AbsorbingDiffusion(
        Letters(), Backbone(SHAPE, (2, 2), 8, 3, 10), channels=8, draws=draws
    )
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.2)
    if words is not None:
        made.logits = words  # type: ignore[method-assign]
    return made.eval()


def frequencies(images: Tensor) -> Tensor:
    places = (2 * images).round().long().flatten(1) @ torch.tensor([27, 9, 3, 1])
    return torch.bincount(places, minlength=81) / len(images)


def draw(model: AbsorbingDiffusion, setting: Setting) -> Tensor:
    return model.sample(Noise.range(0, COUNT), torch.zeros(COUNT).long(), setting)


@pytest.mark.parametrize(
    "setting", [Setting(4, "random"), Setting(4, "confidence", choice_temperature=1e6)]
)
def test_one_digit_a_call_in_random_order_is_exact(setting: Setting) -> None:
    words = Words()
    found = frequencies(draw(arm(words), setting))
    sampled = (words.table * (1 - words.table) / COUNT).sqrt()
    assert float(((found - words.table) / sampled).abs().max()) < 4.5


def test_fewer_calls_are_further_from_the_law() -> None:
    words = Words()
    far = [
        float((frequencies(draw(arm(words), Setting(calls, "random"))) - words.table).abs().sum())
        for calls in (1, 2, 4)
    ]
    assert far[0] > far[1] + 0.03 > far[2] + 0.06


def test_one_call_draws_independent_digits() -> None:
    words = Words()
    marginal = words(torch.zeros(1, 4, 1).long(), torch.ones(1, 4, 1).bool(), torch.zeros(1), 0.0)
    each = marginal[0, :, 0].softmax(-1)
    known = torch.einsum("a,b,c,d->abcd", *each).flatten()
    for name in AbsorbingDiffusion.samplers:
        found = frequencies(draw(arm(words), Setting(1, name)))
        assert float((found - known).abs().sum()) < 0.1


def test_the_bound_of_the_true_law_is_its_entropy() -> None:
    words = Words()
    model, images = arm(words), words.images(COUNT)
    codes = model.space.encode(images)
    share = Noise.range(1, COUNT).uniform(5)
    nats = 4 * model._masked_loss(codes, torch.zeros(COUNT), share, Noise.range(1, COUNT))
    entropy = -(words.table * words.table.log()).sum()
    assert abs(float(nats.mean() - entropy)) < 4 * float(nats.std()) / COUNT**0.5
    assert float(nats.std()) > 0.1


def test_the_true_law_has_the_least_loss() -> None:
    words, wrong = Words(), Words()
    wrong.table = (words.table.log() * 0.8).softmax(0)
    batch, noise = (words.images(COUNT), torch.zeros(COUNT).long()), Noise.range(1, COUNT)
    right, worse = (float(arm(each)(batch, noise)["loss"]) for each in (words, wrong))
    assert right < worse - 1e-3


def test_bits_are_those_of_codes_and_of_images_given_them() -> None:
    words = Words()
    model, images = arm(words, draws=64), words.images(500)
    labels, noise = torch.zeros(500).long(), Noise.range(3, 500)
    model.calibrate(images, labels, noise)
    found = model.bits(images, labels, noise)
    rest = -model.decoder_likelihood.log_prob(images, images).double().mean() / math.log(2) / 4
    places = (2 * images).round().long().flatten(1) @ torch.tensor([27, 9, 3, 1])
    known = -words.table[places].log2().double() / 4
    assert found.kind == "bound"
    assert found.per_dim.shape == (500,)
    assert abs(float(found.per_dim.mean() - known.mean() - rest)) < 0.03


@pytest.mark.parametrize("name", AbsorbingDiffusion.samplers)
@pytest.mark.parametrize("guidance", [0.0, 1.0])
def test_a_sample_depends_on_its_own_name(name: str, guidance: float) -> None:
    model, labels = arm(), torch.arange(10)
    setting = Setting(3, name, guidance, 0.9)
    whole = model.sample(Noise.range(2, 10), labels, setting)
    alone = model.sample(Noise(2, torch.tensor([6])), labels[6:7], setting)
    assert torch.equal(alone[0], whole[6])
    assert len(whole.unique(dim=0)) > 3


@pytest.mark.parametrize("name", AbsorbingDiffusion.samplers)
def test_revealed_digits_stay_and_every_call_reveals(name: str) -> None:
    model = arm(Words())
    for calls in (1, 2, 3, 4):
        left = model._left(Setting(calls, name))
        assert len(left) == calls
        assert left[-1] == 0
        assert all(a > b for a, b in zip([4, *left], left, strict=False))
        states = model.states(Noise.range(0, 50), torch.zeros(50).long(), Setting(calls, name))
        sample = model.sample(Noise.range(0, 50), torch.zeros(50).long(), Setting(calls, name))
        assert len(states) == calls
        assert torch.equal(states[-1], sample)
        for before, after, masked in zip(states, states[1:], left, strict=False):
            assert int((before != after).flatten(1).sum(1).max()) <= masked


def test_settings_that_cannot_be_are_refused() -> None:
    for setting, message in [
        (Setting(5, "random"), "5 calls for 4 digits"),
        (Setting(2, "magic"), "the sampler 'magic', expected one of"),
    ]:
        with pytest.raises(InputError, match=message):
            draw(arm(), setting)
    assert {s.calls for s in arm().settings()} == {1, 2, 4}
