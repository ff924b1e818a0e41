"""Laws of every pyramid."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from refine_core.errors import InputError
from refine_core.pyramid import GridPyramid, area, gaussian, halvings

PYRAMIDS = [
    gaussian(halvings((28, 28), 4)),
    gaussian(halvings((13, 7), 3)),
    gaussian(halvings((5,), 3)),
    area([(1, 1), (2, 2), (4, 4), (7, 7)]),
    area([(3, 2), (5, 9)], mode="bilinear"),
    area([(2, 3, 4), (5, 6, 7)], mode="bicubic"),
    area([(2,), (5,)], mode="nearest"),
]


@pytest.mark.parametrize("pyramid", PYRAMIDS, ids=lambda p: p.extra_repr())
def test_perfect_reconstruction(pyramid: GridPyramid) -> None:
    x = torch.rand(3, 2, *pyramid.sizes[-1])
    assert (pyramid.collapse(pyramid.laplacian(x)) - x).abs().max() < 1e-6


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_gaussian_reconstructs_any_size(height: int, width: int, scales: int) -> None:
    pyramid = gaussian(halvings((height, width), scales))
    x = torch.rand(height, width)
    assert (pyramid.collapse(pyramid.laplacian(x)) - x).abs().max() < 1e-6


@pytest.mark.parametrize("pyramid", PYRAMIDS, ids=lambda p: p.extra_repr())
def test_constants_are_kept(pyramid: GridPyramid) -> None:
    finest = len(pyramid.sizes) - 1
    for k, size in enumerate(pyramid.sizes):
        down = pyramid.resample(torch.ones(pyramid.sizes[-1]), finest, k)
        up = pyramid.resample(torch.ones(size), k, finest)
        assert torch.allclose(down, torch.ones(size)) and torch.allclose(up, torch.ones_like(up))


def test_gaussian_reduce_is_the_binomial_filter() -> None:
    x = torch.rand(1, 1, 16, 12)
    taps = torch.tensor([1.0, 4, 6, 4, 1]) / 16
    kernel = (taps[:, None] * taps[None, :])[None, None]
    expected = F.conv2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), kernel, stride=2)
    found = gaussian([(8, 6), (16, 12)]).resample(x, 1, 0)
    assert torch.allclose(found, expected, atol=1e-6)


def test_gaussian_expand_is_twice_the_adjoint_inside() -> None:
    pyramid = gaussian([(10,), (20,)])
    reduce = pyramid.resample(torch.eye(20), 1, 0).T
    expand = pyramid.resample(torch.eye(10), 0, 1).T
    assert torch.allclose(expand[4:16], 2 * reduce.T[4:16])


@pytest.mark.parametrize("coarse", [1, 2, 4, 5])
def test_area_equals_torch(coarse: int) -> None:
    x = torch.rand(2, 3, 7, 9)
    pyramid = area([(coarse, coarse), (7, 9)])
    down = F.interpolate(x, (coarse, coarse), mode="area")
    assert torch.allclose(pyramid.resample(x, 1, 0), down, atol=1e-6)
    up = F.interpolate(down, (7, 9), mode="bicubic")
    assert torch.allclose(pyramid.resample(down, 0, 1), up, atol=1e-5)


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="after 28 comes 14, found 12"):
        gaussian([(12, 12), (28, 28)])
    with pytest.raises(InputError, match="coarse to fine"):
        area([(4,), (2,)])
    with pytest.raises(InputError, match="one positive length per axis"):
        area([(4,), (4, 4)])
