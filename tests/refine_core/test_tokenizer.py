"""Laws of the residual loop."""

import pytest
import torch
from torch import nn

from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.pyramid import GridPyramid, area
from refine_core.quantizers.vq import VQ
from refine_core.residual import Loop, ResidualTokenizer
from refine_core.schedule import ScaleSchedule
from tests.refine_core.tiny import DIM, OPEN, QUANTIZERS, real_tokenizer, tokenizer

X = torch.randn(6, DIM, 5, 5, generator=torch.Generator().manual_seed(1))
CASES: list[tuple[str, Loop]] = [(kind, "closed") for kind in QUANTIZERS] + OPEN


@pytest.mark.parametrize(("kind", "loop"), CASES)
def test_decoded_codes_are_the_sum_of_bands(kind: str, loop: Loop) -> None:
    tokens = tokenizer(kind, loop)
    trace = tokens.trace(X)
    total = torch.zeros_like(X)
    for k, choice in enumerate(trace.chosen):
        grid = tokens.put(choice.value, k)
        if loop == "closed":
            band = tokens.phi[k](tokens.pyramid.resample(grid, k, 2))
        else:
            band = tokens.pyramid.resample(tokens.phi[k](grid), k, 2)
        total = total + band
    assert torch.allclose(tokens.decode(tokens.encode(X)), total, atol=1e-5)
    assert torch.allclose(trace.states[-1], total, atol=1e-5)


@pytest.mark.parametrize(("kind", "loop"), CASES)
def test_coarse_codes_decode_to_the_expanded_state(kind: str, loop: Loop) -> None:
    tokens = tokenizer(kind, loop)
    trace = tokens.trace(X)
    for k in (1, 2):
        assert torch.allclose(
            tokens.decode(trace.codes[:k]), tokens.finish(trace.states[k]), atol=1e-5
        )


def test_parts_share_the_cells_of_their_size() -> None:
    tokens = tokenizer("interleaved")
    cells = [scale.cells for scale in tokens.schedule][1:]
    assert sorted(cells[0] + cells[1]) == list(range(25))
    assert [scale.tokens for scale in tokens.schedule] == [1, 13, 12]
    for k in (1, 2):
        mine = tokens.take(X, k)
        assert torch.equal(tokens.take(tokens.put(mine, k), k), mine)
    assert torch.equal(tokens.put(tokens.take(X, 1), 1) + tokens.put(tokens.take(X, 2), 2), X)


def test_open_loops_have_no_parts() -> None:
    with pytest.raises(InputError, match="one part each"):
        tokenizer("interleaved", "open")


def test_open_loop_quantises_the_laplacian_bands() -> None:
    tokens = tokenizer("vq", "open")
    assert isinstance(tokens.pyramid, GridPyramid)
    bands = tokens.pyramid.laplacian(X)
    for k, code in enumerate(tokens.encode(X)):
        assert torch.equal(code, tokens.quantizers[k].encode(bands[k].flatten(2).transpose(1, 2)))  # type: ignore[operator]


@torch.no_grad()
@pytest.mark.parametrize("kind", ["vq", "product"])
def test_later_scales_repair_the_error(kind: str) -> None:
    """Without phi, a codebook fitted to the residuals leaves less of them."""
    tokens = tokenizer(kind, "closed")
    fitted = type(tokens)(
        tokens.schedule,
        tokens.pyramid,
        list(tokens.quantizers),  # type: ignore[arg-type]
        tokens.encoder,
        tokens.decoder,
    ).train()
    for _ in range(30):
        fitted.trace(X)
        fitted.after_step()
    errors = [float((state - X).square().mean()) for state in fitted.eval().trace(X).states]
    assert errors == sorted(errors, reverse=True)


def test_every_parameter_gets_a_gradient() -> None:
    tokens = tokenizer()
    losses = tokens.train()((X,), Noise(0, torch.arange(6)))
    losses["loss"].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in tokens.parameters())


def test_centring_pulls_what_all_samples_share_to_zero() -> None:
    tokens, shift = tokenizer(), nn.Parameter(torch.full((DIM, 1, 1), 5.0))
    noise, inner = Noise(0, torch.arange(6)), tokens.encoder
    tokens.features = lambda x, noise=None: inner(x) + shift  # type: ignore[method-assign]
    features = tokens.features(X)
    plain = tokens((X,), noise)
    tokens.centring = 0.5
    losses = tokens((X,), noise)
    assert torch.allclose(losses["offset"], features.mean((2, 3)).square().mean())
    assert torch.allclose(losses["loss"] - plain["loss"], 0.5 * losses["offset"], atol=1e-4)
    (pull,) = torch.autograd.grad(losses["loss"] - plain["loss"], shift)
    assert (pull > 0).all(), "a step down takes the offset away"


def test_wrong_counts_are_refused() -> None:
    tokens = tokenizer()
    with pytest.raises(InputError, match="2 quantisers for 3 scales"):
        type(tokens)(
            tokens.schedule,
            tokens.pyramid,
            [VQ(8, DIM), VQ(8, DIM)],
            tokens.encoder,
            tokens.decoder,
        )


@pytest.mark.parametrize("loop", ["closed", "open"])
def test_later_scales_repair_corruption(loop: Loop) -> None:
    """Where quantising loses nothing, what goes wrong at coarse scales is gone in the end."""
    tokens = real_tokenizer(loop)
    corrupted = tokens.trace(X, lambda code, k: code + 1 if k < 2 else code)
    assert torch.equal(corrupted.codes[0], tokens.trace(X).codes[0])
    assert torch.allclose(corrupted.states[1], tokens.trace(X).states[1] + 1, atol=1e-5)
    assert torch.allclose(corrupted.states[-1], X, atol=1e-5)


def test_corruption_replaces_digits_by_others() -> None:
    for kind in ("vq", "bitwise"):
        tokens = tokenizer(kind)
        corrupt = tokens.corruption(Noise.range(0, 500), share=1.0)
        code = tokens.encode(X[:1])[2].expand(500, -1, -1)
        changed = (corrupt(code, 2) != code).float().mean((1, 2))
        assert abs(float(changed.mean()) - 0.5) < 0.05  # each sample's share is uniform below 1
        counts = torch.bincount(corrupt(code, 2).flatten(), minlength=tokens.digit_values(2))
        assert bool((counts > 0).all())


def test_one_scale_of_any_quantiser_starts_at_zero() -> None:
    for kind, quantizer in QUANTIZERS.items():
        if kind == "interleaved":
            continue
        schedule = ScaleSchedule.of([(5, 5)])
        tokens = ResidualTokenizer(
            schedule, area(schedule.sizes), [quantizer()], nn.Identity(), nn.Identity()
        )
        assert tokens.start(3).shape == (3, tokens.dim, 5, 5) and not tokens.start(3).any()


def test_counts_of_scales_are_checked() -> None:
    tokens = tokenizer()
    start = tokens.start(2)
    none = tokens.unroll(start, lambda state, k: tokens.quantize(X[:2], state, k), scales=0)
    assert len(none.states) == 1 and not none.chosen
    for scales in (-1, 4):
        with pytest.raises(InputError, match=f"Found {scales} scales, expected 0 to 3"):
            tokens.unroll(start, lambda state, k: tokens.quantize(X[:2], state, k), scales=scales)
    with pytest.raises(InputError, match="no codes to decode"):
        tokens.decode([])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loop": "clsoed"}, "is 'clsoed', expected .* Did you mean 'closed'"),
        ({"quantizers": [VQ(8, DIM), VQ(8, DIM), VQ(8, DIM + 1)]}, "all the same dimension"),
        ({"phi": [nn.Identity()]}, "1 maps phi for 3 scales"),
        ({"schedule": ScaleSchedule.of([(1, 1), (2, 2), (5, 5)], codes=[9])}, "digits of 9"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change: dict[str, object], message: str) -> None:
    tokens = tokenizer()
    parts: dict[str, object] = {
        "schedule": tokens.schedule,
        "pyramid": tokens.pyramid,
        "quantizers": [VQ(8, DIM), VQ(8, DIM), VQ(8, DIM)],
        "encoder": tokens.encoder,
        "decoder": tokens.decoder,
    }
    with pytest.raises(InputError, match=message):
        ResidualTokenizer(**{**parts, **change})  # type: ignore[arg-type]
