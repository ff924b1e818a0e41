"""How a codebook learns: averages, placement, restarts, resuming."""

import pytest
import torch
from torch import Tensor

from refine_core.quantizers.clustering import kmeans, nearest
from refine_core.quantizers.usage import Usage
from refine_core.quantizers.vq import VQ


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def blobs(n: int, seed: int, centres: int = 16) -> Tensor:
    """(1, n, 4) vectors near 16 well separated points, most of them near one."""
    place = 10 * normal(centres, 4, seed=99)
    which = torch.randint(centres, (n,), generator=torch.Generator().manual_seed(seed))
    which[: n // 2] = 0
    return (place[which] + 0.01 * normal(n, 4, seed=seed))[None]


def started(vq: VQ) -> VQ:
    """After its first update."""
    vq(normal(4, 50, vq.dim))
    vq.update()
    return vq


def state(vq: VQ) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in vq.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return all(torch.allclose(a[key], b[key], rtol=1e-5, atol=1e-6) for key in a)


def test_moving_average_by_hand() -> None:
    vq = VQ(2, 1, decay=0.9, restart_below=0.0)
    vq.codebook.copy_(torch.tensor([[0.0], [10.0]]))
    vq.count.copy_(torch.tensor([4.0, 2.0]))
    vq.total.copy_(torch.tensor([[0.0], [20.0]]))
    vq.updates += 1
    vq(torch.tensor([[[1.0], [2.0], [9.0]]]))
    vq.update()
    assert torch.allclose(vq.count, torch.tensor([3.6 + 0.2, 1.8 + 0.1]))
    assert torch.allclose(vq.total, torch.tensor([[0.3], [18.0 + 0.9]]))
    assert torch.allclose(vq.codebook, torch.tensor([[0.3 / 3.8], [18.9 / 1.9]]))


def test_nearest_in_blocks_is_the_brute_force() -> None:
    z, codes = normal(1000, 4), normal(4096, 4, seed=1)
    distance = torch.cdist(z.double(), codes.double())
    found = distance.gather(1, nearest(z, codes)[:, None])
    assert torch.allclose(found, distance.min(1, keepdim=True).values, rtol=0, atol=1e-6)


def test_loss_is_the_commitment_of_equation_1() -> None:
    vq = VQ(8, 4, commitment=0.3).eval()
    z = normal(3, 5, 4).requires_grad_()
    result = vq(z)
    gap = (z - result.value).detach()
    assert torch.allclose(result.loss, 0.3 * gap.square().mean())
    result.loss.backward()
    assert torch.allclose(z.grad, 0.6 * gap / gap.numel())  # type: ignore[arg-type]
    assert not list(vq.parameters())


def test_calls_before_one_update_equal_their_concatenation() -> None:
    one, many = (started(VQ(16, 4)) for _ in range(2))
    many.load_state_dict(state(one))
    z = normal(4, 21, 4, seed=1)
    one(torch.cat([z[:, :1].flatten(0, 1), z[:, 1:5].flatten(0, 1), z[:, 5:].flatten(0, 1)])[None])
    for part in (z[:, :1], z[:, 1:5], z[:, 5:]):
        many(part).loss.detach()
    before = state(many)
    one.update()
    many.update()
    assert same(state(one), state(many))
    assert not same(before, state(many))


def test_codebook_rests_until_the_update() -> None:
    vq = started(VQ(16, 4))
    before = state(vq)
    scratch = normal(2, 9, 4, seed=2)
    vq(scratch)
    assert same(before, state(vq))
    scratch.zero_()  # the caller's tensor is the caller's
    other = started(VQ(16, 4))
    other.load_state_dict(before)
    other(normal(2, 9, 4, seed=2))
    vq.update()
    other.update()
    assert same(state(vq), state(other))


def test_placement_beats_random_codes_and_vectors() -> None:
    z = blobs(2000, seed=0)
    vq = VQ(16, 4)
    random = float((vq.eval()(z).value - z).square().mean())
    drawn = z[0, torch.randperm(2000, generator=torch.Generator().manual_seed(0))[:16]]
    sampled = float(torch.cdist(z[0], drawn).min(1).values.square().mean() / 4)
    placed = float((vq.train()(z).value - z).square().mean())
    assert placed < 0.2 * sampled < random


def test_placement_covers_all_scales_of_the_first_step() -> None:
    z = blobs(400, seed=0)
    vq = VQ(16, 4)
    for part in z.split([16, 84, 300], 1):
        vq(part)
    vq.update()
    whole = VQ(16, 4)
    whole(z)
    whole.update()
    assert torch.allclose(vq.codebook, whole.codebook)
    assert torch.equal(vq.count.sum(), torch.tensor(400.0))


def test_fewer_vectors_than_codes_fill_the_codebook_in_time() -> None:
    vq = VQ(64, 4)
    for step in range(40):
        z = normal(1, 20, 4, seed=step)
        assert bool(vq(z).value.isfinite().all())
        vq.update()
    usage = Usage(1, 64)
    usage.add(vq.eval().encode(normal(1, 5000, 4, seed=100)))
    assert usage.fraction == 1


def test_repeated_vectors_do_not_use_up_codes() -> None:
    z = normal(1, 1000, 4)
    z[:, 50:] = 0  # an empty background
    vq = VQ(32, 4)
    vq(z)
    vq.update()
    assert len(vq.eval().encode(z).unique()) == 32
    few = normal(5, 4)
    centres = kmeans(few.repeat(20, 1), 16, torch.Generator())
    assert float(torch.cdist(centres, few).min(1).values.max()) < 1e-3


def test_dead_codes_revive() -> None:
    z = blobs(2000, seed=0)
    vq = VQ(16, 4)
    vq(z)
    vq.update()
    with torch.no_grad():
        vq.codebook[3:7] = 1e4
        vq.count[3:7] = 0
        vq.total[3:7] = 0
    revived = {3, 4, 5, 6}
    assert not revived & set(vq.eval().encode(z).flatten().tolist())
    vq.train()(z)
    vq.update()
    assert revived <= set(vq.eval().encode(z).flatten().tolist())


def test_without_restarts_only_chosen_codes_move() -> None:
    vq = VQ(16, 4, restart_below=0.0)
    vq.codebook.add_(10)
    vq.updates += 1  # past the placement
    before, code = vq.codebook.clone(), vq(normal(1, 50, 4)).code
    vq.update()
    assert torch.equal((vq.codebook != before).any(1).nonzero()[:, 0], code.unique())
    assert len(code.unique()) < 16


@pytest.mark.parametrize("at", [0, 1, 3])
def test_resumed_equals_uninterrupted(at: int) -> None:
    torch.manual_seed(0)
    whole = VQ(32, 4, restart_below=1.0)  # so high that codes restart all the time
    saved = state(whole)
    for step in range(6):
        if step == at:
            saved = state(whole)
        whole(normal(2, 30, 4, seed=step))
        whole.update()
    torch.manual_seed(1)
    resumed = VQ(32, 4, restart_below=1.0)
    resumed.load_state_dict(saved)
    for step in range(at, 6):
        torch.rand(step)  # other users of the global generator do not matter
        resumed(normal(2, 30, 4, seed=step))
        resumed.update()
    got = state(resumed)
    assert all(torch.equal(value, got[key]) for key, value in state(whole).items())
