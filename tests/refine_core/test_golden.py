"""Golden numbers of one tiny fixed model: any change of arithmetic shows here."""

import torch

from refine_core.noise import Noise
from tests.refine_core.tiny import DIM, refiner


def test_golden() -> None:
    model = refiner("vq")
    x = torch.linspace(-1, 1, 2 * DIM * 25).sin().reshape(2, DIM, 5, 5)
    log_prob = model.code_log_prob(x, torch.tensor([0, 1])).detach()
    drawn = model.sample(Noise(0, torch.arange(2)), torch.tensor([0, 1])).mean((1, 2, 3))
    golden = torch.tensor([[-1.9245, -9.1844, -41.7388], [-1.9027, -12.2413, -66.9405]])
    assert torch.allclose(log_prob, golden, atol=2e-3)
    assert torch.allclose(drawn, torch.tensor([-0.0194, 0.0281]), atol=2e-4)
