"""Refinement as an arm: laws of sampling, and bits against brute force and closed forms."""

import itertools
import math
from functools import partialmethod

import pytest
import torch
from torch import Tensor, nn

from images.networks import Decoder, Encoder
from images.study.backbone import TOLERANCE, TransformerShape
from images.study.forward_noise import Forward
from images.study.likelihood import DecoderLikelihood, dequantised
from images.study.model import Setting
from images.study.pixel_pyramid import PixelTokenizer, fit_codebooks, latent_tokenizer
from images.study.refinement import Refinement
from images.study.registry import Law
from images.study.spaces import LatentSpace
from refine_core.errors import InputError
from refine_core.heads.gaussian import GaussianMixtureHead
from refine_core.noise import Noise
from refine_core.pyramid import area
from refine_core.quantizers.exact import Exact
from refine_core.quantizers.vq import VQ
from refine_core.residual import ResidualTokenizer
from refine_core.schedule import ScaleSchedule
from refine_core.training.step import trained_parameters

SHAPE = TransformerShape(dim=16, depth=1, heads=2)
IMAGES = torch.randint(256, (40, 1, 8, 8), generator=torch.Generator().manual_seed(0)) / 255
LABELS = torch.arange(40) % 3
NOISE = Noise.range(5, 40)
SCHEDULES = {
    "scales": ScaleSchedule.of([(1, 1), (2, 2), (4, 4)]),
    "one": ScaleSchedule.of([(4, 4)]),
    "parts": ScaleSchedule.of([(4, 4)], parts=[4]),
}


def pixels(name: str, law: Law) -> ResidualTokenizer:
    torch.manual_seed(0)
    schedule = SCHEDULES[name]
    if law != "codes":
        return PixelTokenizer(schedule, [Exact(4)] * len(schedule), 2, dequantise=True)
    tokens = PixelTokenizer(schedule, [VQ(6, 4, decay=0.9) for _ in schedule], 2)
    fit_codebooks(tokens, IMAGES)
    return tokens


def latents(name: str, law: Law) -> ResidualTokenizer:
    torch.manual_seed(0)
    autoencoder = ResidualTokenizer(
        ScaleSchedule.of([(4, 4)]),
        area([(4, 4)]),
        [VQ(8, 4)],
        Encoder(1, 4, 8, 1, 2),
        Decoder(1, (8, 8), 4, 8, 1, 2),
    )
    space, schedule = LatentSpace(autoencoder, IMAGES), SCHEDULES[name]
    if law != "codes":
        return latent_tokenizer(space, schedule, [Exact(4)] * len(schedule))
    tokens = latent_tokenizer(space, schedule, [VQ(6, 4, decay=0.9) for _ in schedule])
    fit_codebooks(tokens, IMAGES)
    return tokens


PLAIN = Forward()


@pytest.fixture(autouse=True)
def _short_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds hold for likelihoods of any fit."""
    monkeypatch.setattr(DecoderLikelihood, "fit", partialmethod(DecoderLikelihood.fit, steps=3))


def arm(tokens: ResidualTokenizer, law: Law, forward: Forward = PLAIN) -> Refinement:
    """An arm whose weights are all at work."""
    torch.manual_seed(1)
    model = Refinement.build(tokens, SHAPE, 3, 12_000, law=law, images=IMAGES, forward=forward)
    for parameter in model.refiner.transformer.parameters():
        nn.init.normal_(parameter, std=0.1)
    return model.eval()


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("law", ["codes", "gaussian", "mixture", "flow"])
@pytest.mark.parametrize("space", [pixels, latents])
def test_every_cell_trains_samples_and_has_bits(space: object, law: Law, name: str) -> None:
    tokens = space(name, law)  # type: ignore[operator]
    model = arm(tokens, law, Forward(0.2, 0.02))
    assert abs(trained_parameters(model) - 12_000) <= TOLERANCE * 12_000
    assert model.tokens == sum(scale.tokens for scale in SCHEDULES[name])
    losses = model.train()((IMAGES, LABELS), NOISE)
    losses["loss"].backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    model.eval()
    (setting,) = model.settings()
    assert setting.calls == len(SCHEDULES[name])
    states = model.states(NOISE, LABELS, setting)
    assert len(states) == setting.calls and states[0].shape == IMAGES.shape
    assert torch.equal(states[-1], model.sample(NOISE, LABELS, setting))
    assert all(0 <= float(x.min()) and float(x.max()) <= 1 for x in states)
    model.calibrate(IMAGES, LABELS, NOISE)
    bits = model.bits(IMAGES, LABELS, NOISE)
    assert bits is not None and bits.kind == "bound" and bits.per_dim.shape == (40,)
    assert bool(bits.per_dim.isfinite().all())
    again = model.bits(IMAGES[3:5], LABELS[3:5], Noise(5, torch.tensor([3, 4])))
    assert again is not None and torch.allclose(again.per_dim, bits.per_dim[3:5], atol=1e-4)


def test_guided_samples_do_not_depend_on_the_batch() -> None:
    model = arm(pixels("scales", "mixture"), "mixture", Forward(0.2, 0.0))
    setting = Setting(3, guidance=1.0, temperature=0.9)
    whole = model.sample(NOISE, LABELS, setting)
    part = model.sample(Noise(5, torch.tensor([7, 2])), LABELS[[7, 2]], setting)
    assert torch.allclose(part, whole[[7, 2]], atol=1e-4)
    with pytest.raises(InputError, match="expected one call each"):
        model.sample(NOISE, LABELS, Setting(2))


@pytest.mark.parametrize("finest", [0.0, 0.3])
def test_guesses_keep_what_is_known(finest: float) -> None:
    model = arm(pixels("scales", "gaussian"), "gaussian", Forward(0.2, finest))
    (setting,) = model.settings()
    made = [model.guess(IMAGES, LABELS, k, setting, NOISE, NOISE.fork(2)) for k in range(4)]
    assert torch.allclose(made[0], model.sample(NOISE.fork(2), LABELS, setting), atol=1e-5)
    assert torch.allclose(made[3], IMAGES, atol=1e-2)  # but for the dequantisation
    near = [float((each - IMAGES).square().mean()) for each in made]
    assert near == sorted(near, reverse=True)


def test_no_density_without_noise_on_coarse_codes() -> None:
    model = arm(pixels("scales", "gaussian"), "gaussian")
    assert model.bits(IMAGES, LABELS, NOISE) is None
    assert arm(latents("one", "gaussian"), "gaussian").bits(IMAGES, LABELS, NOISE) is None
    single = arm(pixels("parts", "gaussian"), "gaussian").bits(IMAGES, LABELS, NOISE)
    assert single is not None and single.kind == "exact"


def test_parts_have_the_density_of_the_image_itself() -> None:
    """By hand: codes are the dequantised pixels of each part, given those of the parts before."""
    model = arm(pixels("parts", "mixture"), "mixture")
    tokens, refiner = model.tokenizer, model.refiner
    values = nn.functional.pixel_unshuffle(dequantised(IMAGES, NOISE), 2)
    state, nats = torch.zeros_like(values), torch.zeros(40).double()
    call = refiner.caller(LABELS, 40)
    for k in range(4):
        code = tokens.take(values, k)
        nats += call(state, k).log_prob(code).detach()
        state = state + tokens.put(code, k)
    assert torch.allclose(state, values)
    bits = model.bits(IMAGES, LABELS, NOISE)
    assert bits is not None
    wanted = -(nats - 64 * math.log(128)) / (64 * math.log(2))
    assert torch.allclose(bits.per_dim, wanted, atol=1e-4)


def constant(model: Refinement, mean: list[float], log_scale: list[float]) -> None:
    """Make the law of every scale's codes the same whatever the state."""
    head = model.refiner.head
    assert isinstance(head, GaussianMixtureHead)
    for k, layer in enumerate(head.maps):
        assert isinstance(layer, nn.Linear)
        nn.init.zeros_(layer.weight)
        with torch.no_grad():
            layer.bias.copy_(torch.tensor([0.0, mean[k], log_scale[k]]))
    head.mean.zero_()  # type: ignore[operator]
    head.spread.fill_(1.0)  # type: ignore[operator]


def gaussian_pair() -> tuple[Refinement, Tensor, Tensor]:
    """Two scales of a 2x2 image with constant Gaussian laws; mean and covariance of the image."""
    torch.manual_seed(0)
    images = torch.randint(256, (50, 1, 2, 2)) / 255
    schedule = ScaleSchedule.of([(1, 1), (2, 2)])
    tokens = PixelTokenizer(schedule, [Exact(1)] * 2, 1, dequantise=True)
    model = Refinement.build(
        tokens, SHAPE, 3, 9_000, law="gaussian", images=images, forward=Forward(0.5, 0.0)
    ).eval()
    constant(model, [0.1, -0.05], [-0.4, -0.9])
    expand = tokens.pyramid.resample(torch.ones(1, 1, 1, 1), 0, 1).flatten()
    covariance = math.exp(-0.8) * torch.outer(expand, expand) + math.exp(-1.8) * torch.eye(4)
    return model, 0.1 * expand - 0.05, covariance


def test_noisy_pyramids_bound_a_gaussian_in_closed_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean of the bound is below the density, that of its exponential is the density."""
    model, mean, covariance = gaussian_pair()
    y = torch.tensor([0.3, -0.6, 0.2, 0.5])
    count = 60_000
    fixed = y.reshape(1, 1, 2, 2).expand(count, 1, 2, 2)

    def features(x: Tensor, noise: Noise) -> Tensor:
        return fixed

    monkeypatch.setattr(model.tokenizer, "features", features)
    images = torch.zeros(count, 1, 2, 2)
    bits = model.bits(images, torch.zeros(count).long(), Noise.range(0, count))
    assert bits is not None and bits.kind == "bound"
    nats = -bits.per_dim * 4 * math.log(2) + 4 * math.log(128)
    law = torch.distributions.MultivariateNormal(mean, covariance)
    exact = float(law.log_prob(y))
    estimate = float(torch.logsumexp(nats, 0)) - math.log(count)
    assert float(nats.mean()) < exact
    assert abs(estimate - exact) < 0.02


def test_samples_lack_the_noise_of_the_finest_scale() -> None:
    """Of a constant Gaussian law: spread^2 = scale^2 - sigma^2."""
    schedule = ScaleSchedule.of([(2, 2)])
    tokens = PixelTokenizer(schedule, [Exact(1)], 1, dequantise=True)
    images = torch.randint(256, (50, 1, 2, 2)) / 255
    model = Refinement.build(
        tokens, SHAPE, 3, 9_000, law="gaussian", images=images, forward=Forward(0.0, 0.1)
    ).eval()
    constant(model, [0.0], [math.log(0.15)])
    labels = torch.zeros(20_000).long()
    drawn = 2 * model.sample(Noise.range(0, 20_000), labels, Setting(1)) - 1
    assert abs(float(drawn.std()) - math.sqrt(0.15**2 - 0.1**2) * 256 / 255) < 0.002
    bits = model.bits(images, labels[:50], Noise.range(0, 50))
    assert bits is not None and bits.kind == "bound"


def test_codes_bound_the_probability_of_grey_levels_by_brute_force() -> None:
    """All 256 x 256 images of two pixels, all nine pairs of codes."""
    torch.manual_seed(0)
    schedule = ScaleSchedule.of([(1, 2)], parts=[2])
    tokens = PixelTokenizer(schedule, [VQ(3, 1), VQ(3, 1)], 1)
    train = torch.randint(256, (400, 1, 1, 2)) / 255
    fit_codebooks(tokens, train)
    model = Refinement.build(tokens, SHAPE, 3, 9_000).eval()
    for parameter in model.refiner.transformer.parameters():
        nn.init.normal_(parameter, std=0.3)
    model.calibrate(train, torch.zeros(400).long(), Noise.range(0, 400))
    images = torch.cartesian_prod(torch.arange(256), torch.arange(256)).view(-1, 1, 1, 2) / 255
    labels = torch.ones(len(images)).long()
    bits = model.bits(images, labels, Noise.range(0, len(images)))
    assert bits is not None and bits.kind == "bound"
    bound = -bits.per_dim * 2 * math.log(2)
    exact = torch.full((len(images),), -torch.inf, dtype=torch.float64)
    for pair in itertools.product(range(3), repeat=2):
        codes = [torch.tensor([[[number]]]) for number in pair]
        values = [tokens.lookup(code, k).value for k, code in enumerate(codes)]
        middle = tokens.add(tokens.start(1), values[0], 0)
        laws = model.refiner.distributions([tokens.start(1), middle], labels[:1])
        own = sum(law.log_prob(code) for law, code in zip(laws, codes, strict=True))
        decoded = tokens.finish(tokens.add(middle, values[1], 1)).expand(len(images), -1, -1, -1)
        joint = model.decoder_likelihood.log_prob(decoded, images) + own
        exact = torch.logaddexp(exact, joint.detach())
    assert abs(float(exact.exp().sum()) - 1) < 1e-3
    assert bool((bound <= exact + 1e-4).all())
    assert 0.3 < float(bound.exp().sum()) <= 1


def test_units_are_those_of_noisy_codes() -> None:
    model = arm(pixels("scales", "gaussian"), "gaussian", Forward(0.5, 0.0))
    noise = model.forward_noise
    assert noise is not None and float(noise.sigma[-1]) == 0 and bool((noise.sigma[:-1] > 0).all())
    features = model.tokenizer.features(IMAGES, NOISE)
    trace, log_q = noise.trace(model.tokenizer, features, NOISE)
    head = model.refiner.head
    assert isinstance(head, GaussianMixtureHead)
    for k, code in enumerate(trace.codes):
        spread = code.flatten(0, 1).std(0)
        assert torch.allclose(spread, head.get_buffer("spread")[k], rtol=0.35)
    # q is that of the noise alone: its mean is the entropy, but for chance.
    entropy = sum(
        0.5 * math.log(2 * math.pi * math.e * float(s) ** 2) * n
        for s, n in zip(noise.sigma[:-1], (4, 16), strict=True)
    )
    assert abs(float(log_q.mean()) + entropy) < 1.5
    plain, none = noise.trace(model.tokenizer, features, None)
    assert torch.equal(none, torch.zeros(40).double())
    assert torch.equal(plain.codes[0], model.tokenizer.trace(features).codes[0])


def test_laws_suit_their_codes() -> None:
    with pytest.raises(InputError, match="codes take 'codes'"):
        arm(pixels("one", "codes"), "gaussian")
    with pytest.raises(InputError, match="need training images"):
        Refinement.build(pixels("one", "gaussian"), SHAPE, 3, 12_000, law="gaussian")
