"""Laws of the residual loop."""

import pytest
import torch

from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.pyramid import GridPyramid
from refine_core.quantizers.vq import VQ
from refine_core.residual import Loop
from tests.refine_core.tiny import DIM, OPEN, QUANTIZERS, tokenizer

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
