"""Merged scales: the same codes, states and decoded data in fewer calls."""

import pytest
import torch
from torch import Tensor, nn

from refine_core.errors import InputError
from refine_core.grid import GridEmbed, build_refiner
from refine_core.methods.students.merging import MergedTokenizer, inherited, merged_scales
from refine_core.noise import Noise
from refine_core.pyramid import area
from refine_core.quantizers.vq import VQ
from refine_core.refiner import Refiner
from refine_core.residual import ResidualTokenizer
from refine_core.schedule import Scale, ScaleSchedule
from refine_core.storage.checkpoint import load_matching

DIM = 4
X = torch.randn(6, DIM, 5, 5, generator=torch.Generator().manual_seed(1))


def tokenizer() -> ResidualTokenizer:
    """Sizes of 1, 4 and 2 parts, of which those of one size share a codebook."""
    torch.manual_seed(0)
    schedule = ScaleSchedule.of([(1, 1), (3, 3), (5, 5)], parts=[1, 4, 2])
    books = [VQ(6, DIM), VQ(7, DIM), VQ(8, DIM)]
    quantizers = [books[k] for k in (0, 1, 1, 1, 1, 2, 2)]
    phi = [nn.Conv2d(DIM, DIM, 3, padding=1) for _ in schedule]
    parts = (area(schedule.sizes), quantizers, nn.Identity(), nn.Identity())
    made = ResidualTokenizer(schedule, *parts, phi=phi)
    made.train()
    made.trace(torch.randn(64, DIM, 5, 5))
    made.after_step()
    return made.eval()


def refiner(tokens: ResidualTokenizer) -> Refiner[Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    made = build_refiner(tokens, GridEmbed(tokens, 8, 3), dim=8, depth=2, heads=2)
    for parameter in made.parameters():
        if parameter.requires_grad:
            nn.init.normal_(parameter, std=0.3)
    return made.eval()


@pytest.mark.parametrize("calls", [[1], [1, 4, 2], [1, 2, 2], [1, 3, 1]])
def test_codes_states_and_data_are_the_same(calls: list[int]) -> None:
    whole = tokenizer()
    few = MergedTokenizer(whole, calls)
    groups = merged_scales(whole.schedule, few.schedule)
    before, after = whole.trace(X), few.trace(X)
    for k, group in enumerate(groups):
        assert torch.equal(torch.cat([before.codes[j] for j in group], 1), after.codes[k])
        assert torch.equal(before.states[group[0]], after.states[k])
    assert torch.equal(whole.decode(before.codes), few.decode(after.codes))
    assert few.schedule.complete == _ends(few)
    again = few.unmerged()
    assert torch.equal(again.trace(X).states[-1], before.states[-1])
    assert again.schedule == whole.schedule


def _ends(tokens: ResidualTokenizer) -> list[int]:
    sizes = tokens.schedule.sizes
    return [k for k in range(len(sizes)) if k + 1 == len(sizes) or sizes[k] != sizes[k + 1]]


def test_a_refiner_of_few_scales_has_exact_laws() -> None:
    model = refiner(MergedTokenizer(tokenizer(), [1, 2, 1]))
    labels, noise = torch.arange(6) % 3, Noise.range(0, 6)
    trace = model.sample_trace(noise, labels)
    stepwise = model.caller(labels, 6)
    for k, dist in enumerate(model.distributions(trace.states[:-1], labels)):
        again = stepwise(trace.states[k], k)
        assert torch.allclose(
            dist.log_prob(trace.codes[k]), again.log_prob(trace.codes[k]), atol=1e-4
        )
    part = model.sample_trace(Noise(0, torch.tensor([4, 5])), labels[4:])
    assert all(torch.equal(a[4:], b) for a, b in zip(trace.codes, part.codes, strict=True))


def test_inherited_weights_agree_where_nothing_is_merged() -> None:
    whole = tokenizer()
    many, few = refiner(whole), refiner(MergedTokenizer(whole, [1, 4, 1]))
    groups = merged_scales(whole.schedule, few.tokenizer.schedule)
    left = load_matching(few, inherited(many.state_dict(), groups))
    assert all(name.startswith("tokenizer.") for name in left)
    labels = torch.arange(6) % 3
    mine, theirs = few.code_log_prob(X, labels), many.code_log_prob(X, labels)
    assert torch.allclose(mine[:, :5], theirs[:, :5], atol=1e-5)
    assert mine[:, 5].isfinite().all()


def test_what_cannot_be_merged() -> None:
    schedule = ScaleSchedule.of([(1, 1), (3, 3)], parts=[1, 4])
    with pytest.raises(InputError, match="4 parts does not become one of 5"):
        schedule.merged([1, 5])
    with pytest.raises(InputError, match="merged already"):
        schedule.merged([1, 2]).merged([1, 1])
    with pytest.raises(InputError, match="2 scales: give one for all"):
        schedule.merged([1, 1, 1])
    with pytest.raises(InputError, match="consecutive parts"):
        merged_scales(schedule.merged([1, 2]), schedule)
    with pytest.raises(InputError, match="lacks the last"):
        merged_scales(schedule, ScaleSchedule(schedule.scales[:3]))
    with pytest.raises(InputError, match="span = 3"):
        Scale((3, 3), part=(2, 4), span=3)
    apart = [VQ(6, DIM) for _ in schedule]
    tokens = ResidualTokenizer(schedule, area(schedule.sizes), apart, nn.Identity(), nn.Identity())
    with pytest.raises(InputError, match="share a quantiser"):
        MergedTokenizer(tokens, [1, 2])
