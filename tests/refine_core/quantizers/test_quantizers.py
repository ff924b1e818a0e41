"""Laws of every quantiser."""

import itertools
from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import Tensor

from refine_core.errors import InputError
from refine_core.quantizers.base import Quantizer
from refine_core.quantizers.bitwise import Bitwise
from refine_core.quantizers.channels import ChannelGroup
from refine_core.quantizers.fsq import FSQ
from refine_core.quantizers.product import ProductQuantizer
from refine_core.quantizers.residual_vq import ResidualVQ
from refine_core.quantizers.vq import VQ

DIM = 4
MAKE: dict[str, Callable[[], Quantizer]] = {
    "vq": lambda: VQ(32, DIM),
    "product": lambda: ProductQuantizer(2, 12, DIM),
    "residual": lambda: ResidualVQ(2, 12, DIM),
    "channels": lambda: ChannelGroup(VQ(12, 2), 1, DIM),
    "fsq": lambda: FSQ([3, 4, 5, 8]),
    "sign": lambda: Bitwise(DIM, scale=0.7),
    "lfq": lambda: Bitwise(DIM, "lfq", scale=0.7),
    "bsq": lambda: Bitwise(DIM, "bsq", scale=1.5),
}
GREEDY = "residual"  # takes the nearest vector digit by digit, not the nearest sum
NEAREST = [name for name in MAKE if name != GREEDY]
FIXED = [name for name in NEAREST if name != "fsq"]  # whose values are fixed points
COMPOSED = ("product", "residual", "channels")


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def trained(name: str, seed: int = 1) -> Quantizer:
    """In evaluation mode, after two updates."""
    quantizer = MAKE[name]()
    for step in range(2):
        quantizer(normal(16, 9, DIM, seed=10 * seed + step))
        quantizer.update()
    return quantizer.eval()


def every_code(quantizer: Quantizer) -> Tensor:
    """(number of codes, 1, g)."""
    digits = itertools.product(range(quantizer.size), repeat=quantizer.digits)
    return torch.tensor(list(digits))[:, None]


@pytest.mark.parametrize("name", MAKE)
def test_forward_is_decode_of_encode(name: str) -> None:
    quantizer, z = trained(name), normal(5, 7, DIM)
    result = quantizer(z)
    assert result.code.shape == (5, 7, quantizer.digits) and result.code.dtype == torch.int64
    assert torch.equal(result.code, quantizer.encode(z))
    assert 0 <= int(result.code.min()) and int(result.code.max()) < quantizer.size
    assert torch.allclose(quantizer.decode(result.code), result.value, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", NEAREST)
def test_no_other_code_is_nearer(name: str) -> None:
    quantizer, z = trained(name), normal(5, 7, DIM)
    codes = quantizer.decode(every_code(quantizer)).double()[:, 0]
    target = quantizer.project(z).double()
    best = torch.cdist(target.flatten(0, 1), codes).min(1).values
    distance = (quantizer(z).value - target).norm(dim=-1).flatten()
    assert torch.allclose(distance, best, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", FIXED)
def test_values_are_fixed_points(name: str) -> None:
    quantizer = trained(name)
    code = every_code(quantizer)
    assert torch.equal(quantizer.encode(quantizer.decode(code)), code)
    value = quantizer(normal(5, 7, DIM)).value
    assert torch.allclose(quantizer(value).value, value, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", MAKE)
def test_gradient_is_that_of_the_projection(name: str) -> None:
    quantizer, z, upstream = trained(name), normal(5, 7, DIM), normal(5, 7, DIM, seed=3)
    z.requires_grad_()
    (got,) = torch.autograd.grad(quantizer(z).value, z, upstream)
    (expected,) = torch.autograd.grad(quantizer.project(z) * 1.0, z, upstream)
    assert torch.allclose(got, expected, rtol=0, atol=1e-6)
    if name in ("vq", "product", "sign", "lfq"):
        assert torch.equal(got, upstream)


@pytest.mark.parametrize("name", MAKE)
def test_state_dict_reproduces(name: str) -> None:
    quantizer, other, z = trained(name), trained(name, seed=2), normal(5, 7, DIM)
    learned = bool(quantizer.state_dict())
    assert torch.equal(quantizer(z).value, other(z).value) != learned
    other.load_state_dict(quantizer.state_dict())
    assert torch.equal(quantizer(z).value, other(z).value)


@pytest.mark.parametrize("name", MAKE)
def test_update_in_evaluation_changes_nothing(name: str) -> None:
    quantizer, z = trained(name), normal(64, 7, DIM, seed=5)
    before = {key: value.clone() for key, value in quantizer.state_dict().items()}
    quantizer(z)
    quantizer.update()
    quantizer.train()(z)
    quantizer.eval().update()
    quantizer.train().update()  # what a training call left was dropped
    after = quantizer.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("training", [False, True])
def test_no_vectors(name: str, training: bool) -> None:
    for quantizer in (trained(name).train(training), MAKE[name]().train(training)):
        z = torch.zeros(3, 0, DIM, requires_grad=True)
        result = quantizer(z)
        quantizer.update()
        assert result.value.shape == (3, 0, DIM)
        assert result.code.shape == (3, 0, quantizer.digits)
        assert float(result.loss.detach()) == 0 and float(result.clipped) == 0


@pytest.mark.parametrize("name", MAKE)
def test_precision(name: str) -> None:
    quantizer = trained(name).train()
    rough = normal(50, 40, DIM).bfloat16().requires_grad_()
    exact = quantizer.eval()(rough.detach().float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = quantizer.train()(rough)
        quantizer.update()
    assert torch.equal(result.code, exact.code)
    assert result.value.dtype == torch.float32 and torch.equal(result.value, exact.value)
    result.value.sum().backward()
    assert rough.grad is not None and rough.grad.dtype == torch.bfloat16
    for module in (quantizer, deepcopy(quantizer).double()):
        for _ in range(3):
            double = module(normal(5, 7, DIM).double())
            module.update()
        assert double.value.dtype == torch.float64 and bool(double.value.isfinite().all())


@pytest.mark.parametrize("name", [name for name in MAKE if name not in COMPOSED])
def test_repr_is_the_call(name: str) -> None:
    quantizer = MAKE[name]()
    assert repr(eval(repr(quantizer))) == repr(quantizer)


@pytest.mark.parametrize(
    "make",
    [
        lambda: VQ(0, 4),
        lambda: VQ(8, 4, decay=1.0),
        lambda: VQ(8, 4, commitment=-1.0),
        lambda: VQ(8, 4, restart_below=-1.0),
        lambda: FSQ([]),
        lambda: FSQ([2, 5]),
        lambda: Bitwise(4, "bits"),  # type: ignore[arg-type]
        lambda: Bitwise(4, scale=0.0),
        lambda: ProductQuantizer(3, 8, 4),
        lambda: VQ(8, 4)(torch.zeros(2, 4, 3)),
    ],
)
def test_wrong_input_is_one_sentence(make: Callable[[], object]) -> None:
    with pytest.raises(InputError, match=r"expected .*: \w+") as caught:
        make()
    assert "\n" not in str(caught.value)


def test_each_digit_of_a_residual_code_names_what_is_left() -> None:
    quantizer, z = trained("residual"), normal(5, 7, DIM)
    assert isinstance(quantizer, ResidualVQ)
    code, rest = quantizer.encode(z), z
    for digit, part in enumerate(quantizer.parts):
        assert isinstance(part, VQ)
        assert torch.equal(part.encode(rest), code[..., digit : digit + 1])
        rest = rest - part.decode(code[..., digit : digit + 1])
    before = (z - quantizer.parts[0].decode(code[..., :1])).square().mean()  # type: ignore[operator]
    assert (z - quantizer.decode(code)).square().mean() < 0.7 * before


def test_a_channel_group_lies_within_the_vector() -> None:
    with pytest.raises(InputError, match="2 channels from channel 3 does not lie within 4"):
        ChannelGroup(VQ(4, 2), 3, 4)
