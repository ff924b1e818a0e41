"""Tokens see only what is near."""

import pytest
import torch
from torch import Tensor

from refine_core.errors import InputError
from refine_core.heads.categorical import CodeDistribution
from refine_core.methods.spatial_window import SpatialWindow, distances
from refine_core.noise import Noise
from refine_core.schedule import Scale
from refine_core.tokens import History
from tests.refine_core.tiny import DIM, refiner, with_methods

X = torch.randn(6, DIM, 5, 5, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([0, 1, 2, 0, 1, -1])
Own = SpatialWindow[Tensor, Tensor]


def test_distances_are_those_of_the_cells() -> None:
    scale = Scale((3, 4), part=(1, 2))
    cells = [divmod(cell, 4) for cell in scale.cells]
    plain = [[max(abs(a - c), abs(b - d)) for c, d in cells] for a, b in cells]
    assert distances(scale).tolist() == plain
    closed = distances(Scale((1, 6)), periodic=(1,))
    assert closed[0].tolist() == [0, 1, 2, 3, 2, 1]


@pytest.mark.parametrize("kind", ["vq", "interleaved"])
def test_a_window_over_everything_changes_nothing(kind: str) -> None:
    plain = refiner(kind)
    model = with_methods(plain, Own(4))
    assert torch.equal(model.code_log_prob(X, LABELS), plain.code_log_prob(X, LABELS))
    assert not torch.allclose(
        with_methods(plain, Own(1)).code_log_prob(X, LABELS), plain.code_log_prob(X, LABELS)
    )


def test_what_is_far_is_not_seen() -> None:
    """Two blocks of radius 1 see two cells around, those only, and all of these."""
    model = with_methods(refiner(history="markov"), Own(1))
    states = model.tokenizer.trace(X).states[:-1]
    other = [*states[:2], states[2].clone()]
    other[2][:, :, 0, 0] += 5
    a, b = (model.distributions(s, LABELS)[2] for s in (states, other))
    assert isinstance(a, CodeDistribution) and isinstance(b, CodeDistribution)
    moved = (a.logits - b.logits).abs().amax((0, 2, 3)).view(5, 5) > 1e-6
    near = torch.zeros(5, 5, dtype=torch.bool)
    near[:3, :3] = True
    assert torch.equal(moved, near)


@pytest.mark.parametrize("history", ["full", "markov"])
@pytest.mark.parametrize("kind", ["vq", "interleaved"])
def test_stepwise_equals_teacher_forced(kind: str, history: History) -> None:
    model, noise = with_methods(refiner(kind, history), Own(1)), Noise.range(0, 6)
    trace = model.sample_trace(noise, LABELS)
    forced = model.distributions(trace.states[:-1], LABELS)
    for k, (dist, code) in enumerate(zip(forced, trace.codes, strict=True)):
        assert torch.equal(dist.sample(noise.fork(k)), code)


def test_axes_that_are_not_there_are_refused() -> None:
    with pytest.raises(InputError, match=r"periodic axes \[2\] of grids with 2 axes"):
        with_methods(refiner(), Own(1, (2,)))
