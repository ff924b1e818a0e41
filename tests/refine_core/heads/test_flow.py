"""Flow head: velocity of known data, a density that integrates to one, draws that follow it."""

import math

import pytest
import torch
from torch import nn

from refine_core.errors import InputError
from refine_core.heads.flow import FlowDistribution, FlowHead, Solver, divergence
from refine_core.noise import Noise
from refine_core.refiner import Refiner
from refine_core.sampling.settings import Sampling
from refine_core.transformer import Transformer
from tests.refine_core.tiny import DIM, TinyEmbed, real_tokenizer

MEAN, SPREAD = 0.7, 0.4
CENTRE, UNIT = torch.full((1, 1), 0.3), torch.full((1, 1), 0.8)


def wild(channels: int = 1, scales: int = 1, steps: int = 8) -> FlowHead:
    """A head of which every weight matters."""
    torch.manual_seed(0)
    head = FlowHead(3, channels, scales, width=16, steps=steps)
    for parameter in head.parameters():
        nn.init.normal_(parameter, std=0.3)
    return head.eval()


def law(head: FlowHead, count: int, k: int = 0) -> FlowDistribution:
    return head.forward(torch.full((count, 1, 3), 0.5), None, k)


@pytest.fixture(scope="module")
def gaussian() -> FlowHead:
    """A head that learnt codes of N(.7, .4^2), in units of N(.3, .8^2), whatever the state."""
    torch.manual_seed(0)
    head = FlowHead(3, 1, 1, width=32, mean=CENTRE, spread=UNIT, steps=32)
    optimizer = torch.optim.Adam(head.parameters(), 1e-2)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 600)
    for step in range(600):
        noise = Noise.range(step, 256)
        optimizer.zero_grad()
        code = MEAN + SPREAD * noise.normal(5, 1, 1)
        law(head, 256).token_loss(code, noise).mean().backward()
        optimizer.step()
        rates.step()
    return head.eval()


def test_the_velocity_of_gaussian_data_is_learnt(gaussian: FlowHead) -> None:
    mean, spread = (MEAN - 0.3) / 0.8, SPREAD / 0.8
    x = torch.linspace(-1.2, 1.2, 7)[:, None, None]
    for t in (0.1, 0.5, 0.9):
        variance = (1 - t) ** 2 + t**2 * spread**2
        points = t * mean + variance**0.5 * x
        exact = mean + (t * spread**2 - (1 - t)) / variance * (points - t * mean)
        found = law(gaussian, 7).velocity(points, t)
        assert (found - exact).abs().max() < 0.15


def test_samples_and_density_are_those_of_gaussian_data(gaussian: FlowHead) -> None:
    drawn = law(gaussian, 20000).sample(Noise.range(3, 20000))
    assert abs(float(drawn.mean()) - MEAN) < 0.03 and abs(float(drawn.std()) - SPREAD) < 0.03
    codes = torch.linspace(-0.1, 1.5, 9)[:, None, None]
    exact = torch.distributions.Normal(MEAN, SPREAD).log_prob(codes)[..., 0]
    assert (law(gaussian, 9).token_log_prob(codes) - exact).abs().max() < 0.15


def test_temperature_is_that_of_a_gaussian(gaussian: FlowHead) -> None:
    cold = law(gaussian, 20000).sharpened(0.5)
    drawn = cold.sample(Noise.range(3, 20000))
    assert abs(float(drawn.std()) - SPREAD / 2) < 0.02
    frozen = law(gaussian, 5).sharpened(0.0)
    assert float(frozen.sample(Noise.range(0, 5)).std()) < 1e-5
    with pytest.raises(InputError, match="no density"):
        frozen.log_prob(torch.zeros(5, 1, 1))
    with pytest.raises(InputError, match="real-valued"):
        law(gaussian, 5).sharpened(top_k=3)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_the_density_integrates_to_one(temperature: float) -> None:
    grid = torch.linspace(-12, 12, 4001)
    dist = law(wild(), len(grid)).sharpened(temperature)
    density = dist.log_prob(grid[:, None, None]).exp()
    assert float(torch.trapezoid(density, grid)) == pytest.approx(1, abs=2e-4)
    assert float(density.max()) > 0.05


def test_draws_follow_the_density() -> None:
    head = wild(steps=32)
    drawn = law(head, 10000).sample(Noise.range(1, 10000)).flatten()
    grid = torch.linspace(-12, 12, 4001)
    density = law(head, len(grid)).log_prob(grid[:, None, None]).exp()
    reached = torch.cumulative_trapezoid(density, grid)
    empirical = (drawn[None] < grid[1:, None]).float().mean(1)
    assert float((reached - empirical).abs().max()) < 0.02  # 1.6 / sqrt(10000) is .016


def test_trace_of_a_linear_field() -> None:
    matrix = torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
    velocity, trace = divergence(lambda x, _: x @ matrix.T, torch.randn(4, 2, 3), 0.5)
    assert velocity.shape == (4, 2, 3)
    assert torch.allclose(trace, matrix.trace().expand(4, 2))


def test_codes_of_several_numbers_depend_on_each_other() -> None:
    head = wild(channels=2)
    code = torch.randn(1, 1, 2, generator=torch.Generator().manual_seed(1))
    moved = code.clone()
    moved[..., 1] += 1
    first = law(head, 1).velocity(code, 0.5)[..., 0]
    assert not torch.allclose(first, law(head, 1).velocity(moved, 0.5)[..., 0], atol=1e-3)


def test_guidance_moves_velocities() -> None:
    head = wild()
    given, free = (head(torch.full((6, 1, 3), value), None, 0) for value in (0.5, -0.5))
    x = torch.randn(6, 1, 1)
    assert given.guided(free, 0.0) is given
    expected = 3 * given.velocity(x, 0.3) - 2 * free.velocity(x, 0.3)
    assert torch.allclose(given.guided(free, 2.0).velocity(x, 0.3), expected)


@pytest.mark.parametrize("solver", ["euler", "heun"])
def test_samples_do_not_depend_on_the_batch(solver: Solver) -> None:
    head = wild(channels=2, scales=2)
    head.solver = solver
    hidden = torch.randn(6, 4, 3, generator=torch.Generator().manual_seed(2))
    whole = head(hidden, None, 1).sample(Noise.range(0, 6))
    part = head(hidden[4:], None, 1).sample(Noise(0, torch.tensor([4, 5])))
    assert torch.allclose(whole[4:], part, atol=1e-5)


def test_padding_costs_nothing_and_scales_have_their_spread() -> None:
    head = FlowHead(3, 2, 2, width=16, spread=torch.tensor([[1.0, 1.0], [0.1, 0.1]]))
    hidden, valid = torch.randn(2, 3, 3), torch.tensor([[True, True, False]] * 2)
    code = 0.1 * torch.randn(2, 3, 2)
    dist, noise = head(hidden, None, 1, valid), Noise.range(0, 2)
    for tokens in (dist.token_loss(code, noise), dist.token_log_prob(code)):
        assert (tokens[:, 2] == 0).all() and (tokens[:, :2] != 0).all()
    # Before any training the field is zero, so that samples are the noise.
    drawn = head(torch.zeros(4000, 1, 3), None, 1).sample(Noise.range(0, 4000))
    assert float(drawn.std()) == pytest.approx(0.1, rel=0.03)
    exact = -(code / 0.1).square().sum(2) / 2 - math.log(2 * math.pi) - 2 * math.log(0.1)
    assert torch.allclose(dist.token_log_prob(code)[:, :2], exact[:, :2], atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps of 1 or more"),
        ({"solver": "hein"}, "Did you mean 'heun'"),
        ({"spread": torch.zeros(2, 1)}, "spread of codes is zero"),
    ],
)
def test_wrong_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        FlowHead(3, 1, 2, **options)  # type: ignore[arg-type]


def test_a_refiner_learns_by_the_heads_own_loss() -> None:
    torch.manual_seed(0)
    tokens = real_tokenizer()
    head = FlowHead(8, DIM, 3, width=16)
    model = Refiner(tokens, TinyEmbed(tokens, 8, 0), Transformer(8, 1, 2, 4, 8), head)
    x = torch.randn(6, DIM, 5, 5, generator=torch.Generator().manual_seed(1))
    labels, noise = torch.arange(6) % 3, Noise.range(0, 6)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-2)
    losses = []
    for step in range(40):
        optimizer.zero_grad()
        found = model((x, labels), Noise.range(step, 6))
        assert "bits" not in found
        losses.append(float(found["loss"].detach()))
        found["loss"].backward()
        optimizer.step()
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    trace = model.sample_trace(noise, labels, sampling=[Sampling(guidance=0.5)])
    given = model.distributions(trace.states[:-1], labels)
    free = model.distributions(trace.states[:-1])
    for k, (mine, theirs) in enumerate(zip(given, free, strict=True)):
        redrawn = mine.guided(theirs, 0.5).sample(noise.fork(k))
        assert torch.allclose(redrawn, trace.codes[k], atol=1e-4)
