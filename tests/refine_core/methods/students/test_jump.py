"""Jumps: the mean of the ends without noise, the sampler itself with it."""

import pytest
import torch
from torch import Tensor

from refine_core.errors import InputError
from refine_core.methods.students.jump import (
    Consistency,
    GridJump,
    Trajectories,
    jump_sample,
)
from refine_core.noise import Noise
from refine_core.pyramid import halvings
from refine_core.residual import ResidualTokenizer
from refine_core.training.config import Optimisation
from refine_core.training.data import Tensors
from refine_core.training.loop import fit
from tests.refine_core.methods.students.exact import (
    CODES,
    TinyRefiner,
    data,
    law,
    teacher,
)
from tests.refine_core.tiny import real_tokenizer

X = data(1024)
OF = teacher()
LABELS = torch.zeros(len(CODES), dtype=torch.int64)


def jump(noise: bool = False, of: TinyRefiner = OF) -> GridJump:
    assert isinstance(of.tokenizer, ResidualTokenizer)
    torch.manual_seed(0)
    return GridJump(of.tokenizer, dim=16, depth=2, heads=2, classes=2, noise=noise)


def trained(
    trajectories: Trajectories, *, noise: bool = False, neighbours: bool = True, epochs: int = 15
) -> GridJump:
    module = Consistency(OF, jump(noise), trajectories=trajectories, neighbours=neighbours)
    opt = Optimisation(epochs=epochs, batch=128, learning_rate=8e-3, weight_decay=0.0, ema=0.95)
    fitted, _ = fit(module, Tensors(X, torch.arange(len(X)) % 2), opt, seed=0, quiet=True)
    return fitted.jump


def states() -> list[Tensor]:
    """States along all 27 codes."""
    tokens = OF.tokenizer
    parts = CODES[..., None].split(1, 1)
    trace = tokens.unroll(tokens.start(len(CODES)), lambda _, k: tokens.lookup(parts[k], k))
    return trace.states


def mean_end(k: int, ends: Tensor, weights: Tensor) -> Tensor:
    """Mean of the ends of all codes that share the first k tokens, for each code."""
    same = (CODES[:, None, :k] == CODES[None, :, :k]).all(2).float() * weights
    return torch.einsum("ij,jdn->idn", same / same.sum(1, keepdim=True), ends)


@pytest.mark.parametrize("neighbours", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_without_noise_the_jump_is_the_mean_of_the_ends(neighbours: bool) -> None:
    found = trained("teacher", neighbours=neighbours)
    each, weights = states(), law(OF, LABELS)
    for k in range(3):
        exact = mean_end(k, each[-1], weights)
        error = (found(each[k], k, LABELS).detach() - exact).square().mean((1, 2))
        spread = (each[-1] - exact).square().mean((1, 2))
        assert (weights * error).sum() < 0.05 * (weights * spread).sum()


def test_the_mean_is_that_of_the_data() -> None:
    found = trained("data")
    tokens = OF.tokenizer
    trace = tokens.trace(X)
    one = torch.cat(trace.codes[:1], 1)[:, 0, 0]
    labels = torch.arange(len(X)) % 2
    jumped = found(trace.states[1], 1, labels).detach()
    for value in range(3):
        for label in range(2):
            these = (one == value) & (labels == label)
            exact = trace.states[-1][these].mean(0)
            spread = (trace.states[-1][these] - exact).square().mean()
            assert (jumped[these].mean(0) - exact).square().mean() < 0.05 * spread


@pytest.mark.slow
def test_with_noise_the_jump_is_the_sampler() -> None:
    found = trained("teacher", noise=True, epochs=50)
    labels, noise = torch.arange(500) % 2, Noise.range(77, 500)
    ends = OF.sample_trace(noise, labels).states[-1]
    blurred = (ends - ends.mean(0)).square().mean()
    for scales in range(4):
        error = (jump_sample(OF, found, noise, labels, scales=scales) - ends).square().mean()
        assert error < 0.25 * blurred
        if scales == 3:
            assert error == 0
    part = Noise(77, torch.tensor([7, 8]))
    again = jump_sample(OF, found, part, labels[7:9], scales=1)
    whole = jump_sample(OF, found, noise, labels, scales=1)
    assert torch.allclose(again, whole[7:9], atol=1e-5)


def test_targets_have_no_gradient_and_follow_the_weights() -> None:
    module = Consistency(OF, jump(), decay=0.5)
    noise = Noise.range(0, 64)
    before = module.target.leave.bias.clone()
    module((X[:64],), noise)["loss"].backward()
    assert all(parameter.grad is None for parameter in module.target.parameters())
    assert any(parameter.grad is not None for parameter in module.jump.parameters())
    with torch.no_grad():
        module.jump.leave.bias.add_(2)
    module.after_step()
    assert torch.allclose(module.target.leave.bias, before + 1)
    assert not any(name.startswith("_hidden") for name in module.state_dict())


def test_an_untrained_jump_expands_the_state() -> None:
    tokens = real_tokenizer("open")
    made = GridJump(tokens, dim=8, depth=1, heads=2)
    trace = tokens.trace(torch.randn(3, tokens.dim, 5, 5))
    for k, state in enumerate(trace.states):
        small = tuple(state.shape[2:])
        whole = tokens.pyramid.resample(state, halvings((5, 5), 3).index(small), 2)
        assert torch.allclose(made(state, k), whole, atol=1e-6)


def test_wrong_settings() -> None:
    with pytest.raises(InputError, match="Did you mean 'teacher'"):
        Consistency(OF, jump(), trajectories="teachers")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="sees noise"):
        Consistency(OF, jump(noise=True))
