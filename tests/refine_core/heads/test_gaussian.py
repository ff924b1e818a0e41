"""Heads of real-valued codes: densities, samples, guidance and temperature, through a refiner."""

import itertools
import math

import pytest
import torch
from scipy import stats
from torch import Tensor

from refine_core.errors import InputError
from refine_core.heads.categorical import CategoricalHead
from refine_core.heads.gaussian import GaussianMixture, GaussianMixtureHead
from refine_core.noise import Noise
from refine_core.quantizers.exact import Exact
from refine_core.refiner import Refiner
from refine_core.sampling.settings import Sampling
from refine_core.tokens import History
from tests.refine_core.tiny import DIM, TinyEmbed, real_refiner, real_tokenizer

X = torch.randn(6, DIM, 5, 5, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([0, 1, 2, 0, 1, -1])


def mixture(
    components: int = 3, channels: int = 2, count: int = 1, tokens: int = 1, seed: int = 0
) -> GaussianMixture:
    draw = torch.Generator().manual_seed(seed)
    shape = (count, tokens, components, channels)
    return GaussianMixture(
        torch.randn(shape[:3], generator=draw),
        torch.randn(shape, generator=draw),
        torch.randn(shape, generator=draw) / 2,
    )


def expanded(one: GaussianMixture, count: int) -> GaussianMixture:
    parts = (one.logits, one.mean, one.log_scale)
    return GaussianMixture(*(part.expand(count, *part.shape[1:]) for part in parts))


def grid(low: float, high: float, steps: int) -> tuple[Tensor, float]:
    """Points (n, 1, 2) of the plane, and the area that each stands for."""
    line = torch.linspace(low, high, steps)
    return torch.cartesian_prod(line, line)[:, None], float((line[1] - line[0]) ** 2)


def density(law: GaussianMixture, points: Tensor) -> Tensor:
    return expanded(law, len(points)).log_prob(points).exp()


@pytest.mark.parametrize("components", [1, 4])
def test_densities_integrate_to_one(components: int) -> None:
    points, area = grid(-9, 9, 600)
    law, free = mixture(components), mixture(components, seed=1)
    for each in (
        law,
        law.guided(free, 1.5),
        law.guided(free, -0.4),
        law.sharpened(0.6, top_p=0.9),
        law.sharpened(top_k=1),
    ):
        assert abs(float(density(each, points).sum()) * area - 1) < 1e-3


def test_log_density_equals_brute_force() -> None:
    law = mixture(4, 3, count=2, tokens=2)
    code = torch.randn(2, 2, 3, generator=torch.Generator().manual_seed(2))
    weights = law.logits.softmax(2)
    for b, n in itertools.product(range(2), range(2)):
        total = 0.0
        for m in range(4):
            scale = law.log_scale[b, n, m].exp().numpy()
            each = stats.norm.pdf(code[b, n].numpy(), law.mean[b, n, m].numpy(), scale)
            total += float(weights[b, n, m]) * each.prod()
        assert abs(float(law.token_log_prob(code)[b, n]) - math.log(total)) < 1e-4
    assert torch.allclose(law.log_prob(code), law.token_log_prob(code).sum(1))


def test_padding_has_no_density() -> None:
    law, valid = mixture(2, count=3, tokens=2), torch.tensor([[True, False]] * 3)
    padded = GaussianMixture(law.logits, law.mean, law.log_scale, valid)
    code = torch.zeros(3, 2, 2)
    assert torch.equal(padded.log_prob(code), law.token_log_prob(code)[:, 0])


def test_samples_have_the_moments_of_the_mixture() -> None:
    law = mixture(3, 2)
    drawn = expanded(law, 200_000).sample(Noise.range(3, 200_000))[:, 0]
    weights = law.logits.softmax(2)[0, 0]
    mean = (weights[:, None] * law.mean[0, 0]).sum(0)
    centred = law.mean[0, 0] - mean
    own = torch.diag_embed((2 * law.log_scale[0, 0]).exp())
    between = centred[:, :, None] * centred[:, None, :]
    covariance = (weights[:, None, None] * (own + between)).sum(0)
    assert torch.allclose(drawn.mean(0), mean, atol=0.015)
    assert torch.allclose(torch.cov(drawn.T), covariance, atol=0.04)
    assert torch.allclose(law.expected()[0, 0], mean)


def test_samples_fall_where_the_density_says() -> None:
    """Shares of samples in boxes against the integral of the density there."""
    law = mixture(3, 2, seed=4)
    drawn = expanded(law, 100_000).sample(Noise.range(5, 100_000))[:, 0]
    points, area = grid(-6, 6, 481)
    mass = density(law, points) * area
    for quadrant in itertools.product((False, True), repeat=2):
        inside = ((points[:, 0] > 0.0125) == torch.tensor(quadrant)).all(1)
        share = ((drawn > 0.0125) == torch.tensor(quadrant)).all(1).float().mean()
        assert abs(float(mass[inside].sum() - share)) < 0.01


def test_guidance_is_the_normalised_product_of_powers() -> None:
    """Of single Gaussians, where the unconditional one is the wider: p^(1 + w) / q^w."""
    zero = torch.zeros(1, 1, 1)
    narrow = torch.tensor([[[[-0.7, -0.2]]]])
    law = GaussianMixture(zero, torch.tensor([[[[0.3, -0.5]]]]), narrow)
    free = GaussianMixture(zero, torch.tensor([[[[0.0, 0.4]]]]), narrow + 0.6)
    points, area = grid(-8, 8, 500)
    for weight in (-0.5, 0.7, 3.0):
        logs = [expanded(each, len(points)).log_prob(points) for each in (law, free)]
        power = ((1 + weight) * logs[0] - weight * logs[1]).exp()
        wanted = power / (power.sum() * area)
        assert torch.allclose(density(law.guided(free, weight), points), wanted, atol=2e-3)


def test_guidance_limits() -> None:
    law, free = mixture(3, 4, 2, 5), mixture(3, 4, 2, 5, seed=1)
    none = law.guided(free, 0.0)
    code = torch.randn(2, 5, 4)
    assert torch.allclose(none.log_prob(code), law.log_prob(code), atol=1e-5)
    assert torch.allclose(law.guided(law, 2.0).mean, law.mean, atol=1e-5)
    # Scales never grow, whatever the unconditional ones are, and means stay finite.
    strong = law.guided(free, 50.0)
    assert bool((strong.log_scale <= law.log_scale + 1e-6).all() and strong.mean.isfinite().all())
    same = GaussianMixture(law.logits, free.mean, law.log_scale)
    assert torch.allclose(law.guided(same, 0.8).mean, 1.8 * law.mean - 0.8 * free.mean, atol=1e-5)
    assert torch.allclose(law.guided(free, -1 + 1e-6).mean, free.mean, atol=1e-3)


def test_temperature_limits() -> None:
    law = mixture(3, 2, 50, 4)
    noise = Noise.range(0, 50)
    cold = law.sharpened(0.0).sample(noise)
    best = law.logits.argmax(2)[..., None, None].expand(-1, -1, 1, 2)
    assert torch.equal(cold, law.mean.gather(2, best)[:, :, 0])
    assert torch.allclose(law.sharpened(1e-4).sample(noise), cold, atol=0.01)
    assert torch.equal(law.sharpened().sample(noise), law.sample(noise))
    hot = mixture(1, 1).sharpened(0.5)
    drawn = expanded(hot, 50_000).sample(Noise.range(0, 50_000))
    assert abs(float(drawn.std() / hot.log_scale.exp()) - 1) < 0.02
    assert torch.allclose(hot.log_scale, mixture(1, 1).log_scale + math.log(0.5))


def test_denoised_codes_with_noise_have_the_law() -> None:
    law, sigma = mixture(3, 2, seed=2), 0.4
    law = GaussianMixture(law.logits, law.mean, law.log_scale.clamp(min=math.log(0.5)))
    points = torch.randn(20, 1, 2, generator=torch.Generator().manual_seed(0))
    clean, noise = law.denoised(sigma), Noise.range(1, 40_000)
    drawn = expanded(clean, 40_000).sample(noise)[:, 0]
    spread = (2 * law.log_scale).exp() - sigma**2
    assert torch.allclose((2 * clean.log_scale).exp(), spread, atol=1e-5)
    # Density of the sum: the mean of the noise's density about what was drawn.
    apart = (points[:, 0][:, None] - drawn).square().sum(2) / (2 * sigma**2)
    density_of_sum = (-apart).exp().mean(1) / (2 * math.pi * sigma**2)
    assert torch.allclose(density_of_sum, density(law, points), rtol=0.1, atol=2e-3)
    point = GaussianMixture(law.logits, law.mean, torch.full_like(law.log_scale, math.log(0.3)))
    best = point.denoised(sigma).sharpened(0.0).sample(Noise.range(0, 1))
    assert bool((best[:, :, None] == law.mean).all(3).any())


def test_limits_choose_components() -> None:
    logits = torch.tensor([0.5, 0.3, 0.2]).log().reshape(1, 1, 3)
    law = GaussianMixture(logits, torch.zeros(1, 1, 3, 1), torch.zeros(1, 1, 3, 1))
    assert law.sharpened(top_k=2).logits.isfinite().flatten().tolist() == [True, True, False]
    assert law.sharpened(top_p=0.5).logits.isfinite().flatten().tolist() == [True, False, False]
    assert law.sharpened(top_p=0.51).logits.isfinite().flatten().tolist() == [True, True, False]


@pytest.mark.parametrize("history", ["full", "markov"])
@pytest.mark.parametrize("components", [1, 3])
def test_stepwise_equals_teacher_forced(components: int, history: History) -> None:
    model, noise = real_refiner(components, history), Noise.range(0, 6)
    trace = model.sample_trace(noise, LABELS)
    plain = model.sample_trace(noise, LABELS, cached=False)
    forced = model.distributions(trace.states[:-1], LABELS)
    for k, law in enumerate(forced):
        assert torch.allclose(trace.codes[k], plain.codes[k], atol=1e-4)
        assert torch.allclose(trace.codes[k], law.sample(noise.fork(k)), atol=1e-4)
    # The same densities one call after the other, not only the same draws.
    call = model.caller(LABELS, 6)
    for k, (state, code) in enumerate(zip(trace.states[:-1], trace.codes, strict=True)):
        stepwise = call(state, k).log_prob(code)
        assert torch.allclose(stepwise, forced[k].log_prob(code), atol=1e-3)


def test_guided_samples_are_those_of_the_guided_law() -> None:
    model, noise = real_refiner(), Noise.range(0, 6)
    trace = model.sample_trace(noise, LABELS, sampling=[Sampling(guidance=0.5)])
    pairs = zip(
        model.distributions(trace.states[:-1], LABELS),
        model.distributions(trace.states[:-1]),
        strict=True,
    )
    for k, (given, free) in enumerate(pairs):
        redrawn = given.guided(free, 0.5).sample(noise.fork(k))
        assert torch.allclose(redrawn, trace.codes[k], atol=1e-4)


def test_samples_do_not_depend_on_the_batch() -> None:
    model, labels = real_refiner(), torch.arange(8) % 3
    whole = model.sample(Noise.range(0, 8), labels)
    part = model.sample(Noise(0, torch.tensor([5, 2])), labels[[5, 2]])
    assert torch.allclose(part, whole[[5, 2]], atol=1e-4)


def test_a_refiner_learns_real_codes() -> None:
    model = real_refiner(2).train()
    labels, noise = LABELS.clamp(min=0), Noise.range(0, 6)
    before = -model.code_log_prob(X, labels).sum(1).mean()
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-2)
    for _ in range(30):
        optimizer.zero_grad()
        losses = model((X, labels), noise)
        losses["loss"].backward()
        optimizer.step()
    assert -model.code_log_prob(X, labels).sum(1).mean() < before - 1
    assert all(p.grad is not None for p in model.head.parameters())  # type: ignore[attr-defined]
    assert torch.allclose(model.tokenizer.decode(model.tokenizer.encode(X)), X, atol=1e-5)


def test_units_and_the_floor_of_a_head() -> None:
    mean, spread = torch.full((2, 3), 5.0), torch.full((2, 3), 0.1)
    head = GaussianMixtureHead(8, 3, 2, 1, mean=mean, spread=spread, floor=0.01)
    law = head(torch.randn(4, 6, 8), None, 1)
    assert bool((law.mean - 5).abs().max() < 0.5)
    assert bool((law.log_scale > math.log(0.001)).all())
    for parameter in head.parameters():
        torch.nn.init.constant_(parameter, -50.0)
    tight = head(torch.ones(1, 1, 8), None, 0).log_scale
    assert torch.allclose(tight, torch.tensor(0.001).log(), atol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        assert head(torch.randn(1, 1, 8), None, 0).mean.dtype == torch.float32


def test_wrong_heads() -> None:
    with pytest.raises(InputError, match="needs channels, scales, components"):
        GaussianMixtureHead(8, 2, 1, 0)
    with pytest.raises(InputError, match="spread of codes"):
        GaussianMixtureHead(8, 2, 1, 1, spread=torch.zeros(1, 2))
    with pytest.raises(InputError, match="dim is 0"):
        Exact(0)
    tokens = real_tokenizer()
    model = real_refiner()
    parts = (tokens, TinyEmbed(tokens, 8, 0), model.transformer)
    with pytest.raises(InputError, match="The head predicts codes"):
        Refiner(*parts, GaussianMixtureHead(8, DIM + 1, 3, 1))
    with pytest.raises(InputError, match="The head predicts codes"):
        Refiner(*parts, CategoricalHead(8, 1, [4] * 3))


def test_real_codes_cannot_be_replaced() -> None:
    model = real_refiner()
    model.corruption = 0.5
    with pytest.raises(InputError, match="Real-valued codes"):
        model((X, LABELS), Noise.range(0, 6))
