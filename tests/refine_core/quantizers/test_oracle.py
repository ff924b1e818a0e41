"""Our quantisers against vector-quantize-pytorch, an independent implementation."""

import pytest
import torch
import vector_quantize_pytorch as library  # type: ignore[import-untyped]
from torch import Tensor

from refine_core.quantizers.bitwise import Bitwise, Kind
from refine_core.quantizers.fsq import FSQ
from refine_core.quantizers.vq import VQ


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def twins(decay: float = 0.8) -> tuple[VQ, library.VectorQuantize]:
    """The same codebook, counts and sums in both."""
    ours = VQ(32, 6, decay=decay, restart_below=0.0)
    theirs = library.VectorQuantize(
        dim=6,
        codebook_size=32,
        decay=decay,
        eps=0.0,
        commitment_weight=0.25,
        threshold_ema_dead_code=0,
        rotation_trick=False,
    )
    book = theirs._codebook
    ours.codebook.copy_(book.embed[0])
    ours.total.copy_(book.embed_avg[0])
    ours.count.copy_(book.cluster_size[0])
    ours.updates += 1  # past the placement
    return ours, theirs


def test_vq_chooses_the_same_codes() -> None:
    ours, theirs = twins()
    z = normal(4, 100, 6)
    result = ours.eval()(z)
    value, code, _ = theirs.eval()(z)
    assert torch.equal(result.code[..., 0], code)
    assert torch.allclose(result.value, value, rtol=0, atol=1e-6)


def test_vq_moves_alike() -> None:
    ours, theirs = twins()
    for step in range(3):
        z = normal(4, 100, 6, seed=step)
        result = ours(z)
        _, code, loss = theirs(z)
        ours.update()
        assert torch.equal(result.code[..., 0], code)
        assert torch.allclose(result.loss, loss, rtol=1e-5)
        assert torch.allclose(ours.count, theirs._codebook.cluster_size[0], rtol=1e-5)
        assert torch.allclose(ours.codebook, theirs._codebook.embed[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("levels", [[5, 5, 5], [8, 6, 5], [4, 3, 7, 8]])
def test_fsq_agrees(levels: list[int]) -> None:
    ours, theirs = FSQ(levels), library.FSQ(levels)
    z = (2 * normal(3, 200, len(levels))).requires_grad_()
    twin = z.detach().clone().requires_grad_()
    result, (value, code) = ours(z), theirs(twin)
    assert torch.equal(result.code[..., 0], code.long())
    assert torch.allclose(result.value, value, rtol=0, atol=1e-6)
    result.value.square().sum().backward()
    value.square().sum().backward()
    assert z.grad is not None and twin.grad is not None
    assert torch.allclose(z.grad, twin.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["lfq", "bsq"])
def test_bits_and_losses_agree(kind: Kind) -> None:
    ours = Bitwise(6, kind, scale=0.5, commitment=0.25, entropy=0.0, temperature=0.5)
    theirs = library.LFQ(
        dim=6,
        codebook_size=64,
        codebook_scale=0.5,
        spherical=kind == "bsq",
        entropy_loss_weight=0.0,
        commitment_loss_weight=0.25,
    )
    z = normal(3, 50, 6)
    result, (value, index, loss) = ours(z), theirs(z)
    first_bit_highest = 2 ** torch.arange(5, -1, -1)
    assert torch.equal((result.code * first_bit_highest).sum(-1), index)
    assert torch.allclose(result.value, value, rtol=0, atol=1e-6)
    assert torch.allclose(result.loss, loss, rtol=1e-5)


@pytest.mark.parametrize("kind", ["lfq", "bsq"])
def test_entropies_agree_on_one_bit_and_on_independent_ones(kind: Kind) -> None:
    """Where the bound on the second entropy is tight: one bit, or all patterns of signs."""
    for bits, z in ((1, normal(1, 50, 1)), (3, 0.4 * _signs(3))):
        ours = Bitwise(bits, kind, commitment=0.0, entropy=1.0, temperature=0.5)
        theirs = library.LFQ(
            dim=bits,
            codebook_size=2**bits,
            spherical=kind == "bsq",
            entropy_loss_weight=1.0,
        )
        _, breakdown = theirs(z, inv_temperature=2.0, return_loss_breakdown=True)
        expected = breakdown.per_sample_entropy - breakdown.batch_entropy
        assert torch.allclose(ours(z).loss, expected, atol=2e-4)  # the library clamps at 1e-5


def _signs(bits: int) -> Tensor:
    """(1, 2^bits, bits)."""
    return torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * bits)[None]
