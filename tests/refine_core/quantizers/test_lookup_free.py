"""The codes without a codebook, by their formulas; and how much of a code is used."""

import itertools

import pytest
import torch

from refine_core.quantizers.bitwise import Bitwise, Kind
from refine_core.quantizers.fsq import FSQ
from refine_core.quantizers.usage import Usage
from refine_core.quantizers.vq import VQ


def test_fsq_reaches_every_code_from_the_centre_of_its_cell() -> None:
    quantizer = FSQ([3, 4, 5, 8])
    code = torch.arange(480).reshape(-1, 1, 1)
    levels = torch.tensor([3, 4, 5, 8]).double()
    half, offset = (levels - 1) * 1.001 / 2, (levels % 2 == 0) / 2
    level = quantizer.decode(code).double() * (levels // 2)
    centre = torch.atanh((level + offset) / half) - torch.atanh(offset / half)
    assert torch.equal(quantizer.encode(centre), code)
    assert len(torch.unique(quantizer.decode(code), dim=0)) == len(code) == 480
    assert quantizer(centre).clipped < 1e-9  # the outermost centres are the border itself
    assert torch.equal(quantizer(torch.zeros(1, 1, 4)).value, torch.zeros(1, 1, 4))


def test_clipped_fraction() -> None:
    border = torch.atanh(torch.tensor(1 / 1.001)).item()
    z = torch.tensor([0.0, border - 0.01, border + 0.01, -border - 0.01]).reshape(1, 4, 1)
    assert float(FSQ([5])(z).clipped) == 0.5
    z = torch.tensor([[[0.0, 1.9, -2.1, 2.1]]])
    expected: dict[Kind, float] = {"sign": 0.5, "lfq": 0.5, "bsq": 0.0}
    assert {kind: float(Bitwise(4, kind)(z).clipped) for kind in expected} == expected
    assert float(VQ(8, 4).eval()(1e3 * z).clipped) == 0


@pytest.mark.parametrize("kind", ["lfq", "bsq"])
def test_bitwise_entropies_by_enumeration(kind: Kind) -> None:
    quantizer = Bitwise(3, kind, scale=0.6, commitment=0.0, entropy=1.0, temperature=0.8)
    z = torch.randn(1, 50, 3)
    codes = torch.tensor(list(itertools.product((0, 1), repeat=3)))
    values, target = quantizer.decode(codes), quantizer.project(z)[0]
    p = torch.softmax(-torch.cdist(target, values).square() / 0.8, 1)  # (n, 8)
    bit = (p @ codes.float()).mean(0)
    entr = torch.special.entr
    expected = entr(p).sum(1).mean() - (entr(bit) + entr(1 - bit)).sum()
    assert torch.allclose(quantizer(z).loss, expected, atol=1e-5)


def test_usage_merges_batches() -> None:
    usage, code = Usage(2, 5), torch.tensor([[[0, 1], [2, 1]], [[0, 1], [3, 1]]])
    usage.add(code[:1])
    usage.add(code[1:])
    assert usage.count.tolist() == [[2, 0, 1, 1, 0], [0, 4, 0, 0, 0]]
    assert usage.fraction == 4 / 10
    assert usage.perplexity == pytest.approx((2 * 2**0.5 + 1) / 2)  # entropy 1.5 bits, and none
