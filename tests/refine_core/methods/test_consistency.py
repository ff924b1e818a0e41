"""Consistency as a method: the refiner learns as before, and its last sizes become a jump."""

import pytest
import torch
from torch import Tensor

from refine_core.errors import InputError
from refine_core.grid import GridEmbed, build_refiner
from refine_core.methods.consistency import JumpToEnd
from refine_core.methods.students.jump import GridJump
from refine_core.noise import Noise
from refine_core.pyramid import halvings
from refine_core.refiner import Refiner
from refine_core.training.config import Optimisation
from refine_core.training.data import Tensors
from refine_core.training.loop import fit
from tests.refine_core.methods.students import exact
from tests.refine_core.tiny import DIM, real_tokenizer, tokenizer

X = torch.randn(8, DIM, 5, 5, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(8) % 3
TinyRefiner = Refiner[Tensor, Tensor, Tensor, Tensor]
Jump = JumpToEnd[Tensor, Tensor]


def model(*methods: Jump) -> TinyRefiner:
    torch.manual_seed(0)
    tokens = tokenizer()
    return build_refiner(tokens, GridEmbed(tokens, 8, 3), dim=8, depth=1, heads=2, methods=methods)


def ready(made: TinyRefiner, jump: Jump) -> Jump:
    jump.connect(made, lambda name: made)
    return jump


def test_the_refiner_learns_as_without_it() -> None:
    plain, made = model(), model(Jump(dim=8, heads=2))
    names = dict(plain.named_parameters()).keys()
    made.load_state_dict(plain.state_dict(), strict=False)
    losses = [m((X, LABELS), Noise.range(0, 8)) for m in (plain, made)]
    extra = float(losses[1]["consistency"].detach())
    assert extra > 0
    difference = float((losses[1]["loss"] - losses[0]["loss"]).detach())
    assert difference == pytest.approx(extra, rel=1e-4)
    for each in losses:
        each["loss"].backward()
    grads = [{n: p.grad for n, p in m.named_parameters()} for m in (plain, made)]
    for name in names:
        mine, theirs = grads[0][name], grads[1][name]
        if mine is not None:
            assert theirs is not None and torch.allclose(mine, theirs, atol=1e-6), name
    assert all(g is None for n, g in grads[1].items() if "target" in n)


def test_the_last_sizes_become_a_jump() -> None:
    made = model(Jump(dim=8, heads=2)).eval()
    own = made.methods[0]
    assert isinstance(own, JumpToEnd) and own.jump is not None
    torch.nn.init.normal_(own.jump.leave.weight, std=0.5)
    noise = Noise.range(0, 8)
    whole = made.sample_trace(noise, LABELS)
    short = made.sample_trace(noise, LABELS, methods=[ready(made, Jump(sizes=2))])
    assert len(whole.chosen) == 3 and len(short.chosen) == 2
    assert all(torch.equal(a, b) for a, b in zip(whole.codes, short.codes, strict=False))
    assert torch.equal(short.states[-1], own.jump(whole.states[2], 2, LABELS))
    part = Noise(0, torch.tensor([5, 6]))
    again = made.sample_trace(part, LABELS[5:7], methods=[ready(made, Jump(sizes=2))])
    assert torch.allclose(again.states[-1], short.states[-1][5:7], atol=1e-5)
    early = made.sample_trace(noise, LABELS, scales=1, methods=[ready(made, Jump(sizes=2))])
    assert torch.equal(early.states[-1], whole.states[1])


def test_the_average_follows() -> None:
    made = model(Jump(dim=8, heads=2, decay=0.5))
    own = made.methods[0]
    assert isinstance(own, JumpToEnd) and own.jump is not None and own.target is not None
    with torch.no_grad():
        own.jump.leave.bias.add_(2)
    before = own.target.leave.bias.clone()
    made.after_step()
    assert torch.allclose(own.target.leave.bias, before + 1)


def test_what_cannot_jump() -> None:
    with pytest.raises(InputError, match="trained with it"):
        ready(model(), Jump(sizes=1))
    with pytest.raises(InputError, match="fewer than the model's 3"):
        ready(model(Jump(dim=8, heads=2)), Jump(sizes=3))


def test_the_jump_is_the_mean_of_the_ends() -> None:
    tokens, x, labels = exact.tokenizer(), exact.data(1024), torch.arange(1024) % 2
    torch.manual_seed(0)
    jump, embed = Jump(dim=16, depth=2, heads=2), GridEmbed(tokens, 16, 2)
    made = build_refiner(tokens, embed, dim=16, depth=2, heads=2, methods=[jump])
    opt = Optimisation(epochs=15, batch=128, learning_rate=8e-3, weight_decay=0.0, ema=0.95)
    fitted, _ = fit(made, Tensors(x, labels), opt, seed=0, quiet=True)
    own = fitted.methods[0]
    assert isinstance(own, JumpToEnd) and own.jump is not None
    trace = tokens.trace(x)
    first = trace.codes[0][:, 0, 0]
    jumped = own.jump(trace.states[1], 1, labels).detach()
    for value in range(exact.VALUES):
        for label in range(2):
            these = (first == value) & (labels == label)
            ends = trace.states[-1][these]
            spread = (ends - ends.mean(0)).square().mean()
            assert (jumped[these].mean(0) - ends.mean(0)).square().mean() < 0.05 * spread


def test_an_untrained_jump_expands_the_state() -> None:
    tokens = real_tokenizer("open")
    made = GridJump(tokens, dim=8, depth=1, heads=2)
    trace = tokens.trace(torch.randn(3, tokens.dim, 5, 5))
    for k, state in enumerate(trace.states):
        small = tuple(state.shape[2:])
        whole = tokens.pyramid.resample(state, halvings((5, 5), 3).index(small), 2)
        assert torch.allclose(made(state, k), whole, atol=1e-6)
