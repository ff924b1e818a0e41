"""Golden numbers of one tiny fixed model: any change of arithmetic shows here."""

import torch

from refine_core.noise import Noise
from tests.core.tiny import DIM, refiner


def test_golden() -> None:
    model = refiner("vq")
    x = torch.linspace(-1, 1, 2 * DIM * 25).sin().reshape(2, DIM, 5, 5)
    log_prob = model.code_log_prob(x, torch.tensor([0, 1])).detach()
    drawn = model.sample(Noise(0, torch.arange(2)), torch.tensor([0, 1])).mean((1, 2, 3))
    golden = torch.tensor([[-2.6239, -9.3493, -46.1239], [-2.5939, -12.8036, -57.7687]])
    assert torch.allclose(log_prob, golden, atol=2e-3)
    assert torch.allclose(drawn, torch.tensor([-0.0301, -0.0166]), atol=2e-4)
