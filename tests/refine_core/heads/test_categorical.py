"""Distributions of codes: guidance, temperature, limits; heads that fit their scales."""

import pytest
import torch

from refine_core.errors import InputError
from refine_core.heads.categorical import BitwiseHead, CategoricalHead, CodeDistribution
from refine_core.noise import Noise

INF = torch.inf


def distribution(*logits: float) -> CodeDistribution:
    return CodeDistribution(torch.tensor(logits).reshape(1, 1, 1, -1))


def test_guidance_keeps_what_is_impossible_impossible() -> None:
    given, free = distribution(0.0, 1.0, -INF, -INF), distribution(1.0, -INF, 0.0, -INF)
    guided = given.guided(free, 2.0)
    assert guided.logits.flatten().tolist() == [-2.0, 1.0, -INF, -INF]
    many = CodeDistribution(guided.logits.expand(1000, -1, -1, -1))
    assert set(many.sample(Noise.range(0, 1000)).flatten().tolist()) == {0, 1}
    assert bool(many.log_prob(torch.zeros(1000, 1, 1, dtype=torch.int64)).isfinite().all())


def test_top_k_keeps_k_of_equals() -> None:
    kept = distribution(1.0, 2.0, 1.0, 1.0).sharpened(top_k=2).logits.isfinite().flatten()
    assert kept.tolist() == [True, True, False, False]


def test_top_p_keeps_the_smallest_set() -> None:
    logits = torch.tensor([0.5, 0.3, 0.2]).log().tolist()
    kept = distribution(*logits).sharpened(top_p=0.6).logits.isfinite().flatten()
    assert kept.tolist() == [True, True, False]


def test_scales_may_share_maps_of_any_name() -> None:
    head = CategoricalHead(8, 1, [4, 5, 5], maps=[0, 7, 7])
    hidden = torch.randn(2, 3, 8)
    assert len(head.maps) == 2
    assert torch.equal(head(hidden, None, 1).logits, head(hidden, None, 2).logits)
    assert head(hidden, None, 0).logits.shape == (2, 3, 1, 4)


@pytest.mark.parametrize(
    ("sizes", "maps", "message"),
    [
        ([4, 5], [0, 0], "share a map need digits of as many values"),
        ([4, 4], [0], "1 maps for 2 scales"),
        ([4, 1], None, "digits of 2 values or more"),
    ],
)
def test_wrong_heads(sizes: list[int], maps: list[int] | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        CategoricalHead(8, 1, sizes, maps)


def test_bits_are_digits_of_two_values() -> None:
    head = BitwiseHead(8, 3, 2)
    assert head(torch.randn(1, 2, 8), None, 1).logits.shape == (1, 2, 3, 2)
