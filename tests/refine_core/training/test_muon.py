"""Muon: orthogonal steps of matrices, AdamW's of all else, and exact resume."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.training.data import Batch
from refine_core.training.loop import fit
from refine_core.training.muon import SIZE, Muon, orthogonal
from refine_core.training.runs import Run
from refine_core.training.state import build_optimizer
from refine_core.transformer import Transformer
from tests.refine_core.training.toys import OPT, Line, data

MUON = replace(OPT, optimizer="muon", learning_rate=0.01)


class Deep(nn.Module):
    """Two layers, of which the first is a hidden matrix."""

    def __init__(self, stop_at: int | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.outer = nn.Linear(3, 8), nn.Linear(8, 1)
        self.stop_at, self.steps = stop_at, 0

    def matrices(self) -> list[nn.Parameter]:
        return [self.get_parameter("inner.weight")]

    def forward(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        if self.steps == self.stop_at:
            raise KeyboardInterrupt
        self.steps += 1
        x, y = batch
        predicted = self.outer(self.inner(x + 0.1 * noise.normal(0, 3)).tanh())
        return {"loss": (predicted - y).square().mean()}


@pytest.mark.parametrize("shape", [(2, 8, 8), (1, 5, 20), (3, 20, 5)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_singular_vectors_stay_and_singular_values_are_near_one(
    shape: tuple[int, int, int], dtype: torch.dtype
) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, s, vh = torch.linalg.svd(x, full_matrices=False)
    u, s, vh = u[:, :, s[0] > 0.05], s[:, s[0] > 0.05], vh[:, s[0] > 0.05]
    inner = u.mT @ orthogonal(x, dtype) @ vh.mT
    values = inner.diagonal(dim1=1, dim2=2)
    assert (values > 0.6).all() and (values < 1.3).all()
    assert (inner - torch.diag_embed(values)).abs().max() < 0.05


def test_a_step_has_the_size_of_adamw_on_matrices_and_is_adamw_elsewhere() -> None:
    muon, adam = Deep(), Deep()
    optimizers = [
        build_optimizer(muon, MUON),
        build_optimizer(adam, replace(MUON, optimizer="adamw")),
    ]
    before = muon.inner.weight.detach().clone()
    for module, optimizer in zip((muon, adam), optimizers, strict=True):
        x = torch.randn(16, 3, generator=torch.Generator().manual_seed(1))
        module((x, x.sum(1, keepdim=True)), Noise.range(0, 16))["loss"].backward()
        optimizer.step()
    for name in ("inner.bias", "outer.weight", "outer.bias"):
        assert torch.equal(muon.get_parameter(name), adam.get_parameter(name))
    change = muon.inner.weight - before * (1 - MUON.learning_rate * MUON.weight_decay)
    assert float(change.detach().square().mean().sqrt()) == pytest.approx(
        SIZE * MUON.learning_rate, rel=0.25
    )


def test_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    expected, _ = fit(Deep(), data(), MUON, seed=1, quiet=True)
    run = Run.start(tmp_path, MUON, 1)
    with pytest.raises(KeyboardInterrupt):
        fit(Deep(stop_at=7), data(), MUON, seed=1, run=run, quiet=True)
    resumed, _ = fit(Deep(), data(), MUON, seed=1, run=run, quiet=True)
    for a, b in zip(expected.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_matrices_are_those_of_blocks() -> None:
    optimizer = build_optimizer(Transformer(8, 2, 2, levels=1, condition=4), MUON)
    assert isinstance(optimizer, Muon)
    assert [tuple(each.shape) for each in optimizer.matrices[:4]] == [
        (24, 8),
        (8, 8),
        (32, 8),
        (8, 32),
    ]
    assert len(optimizer.matrices) == 8


def test_a_network_without_blocks_is_refused() -> None:
    with pytest.raises(InputError, match="has none: choose `optimizer: adamw`"):
        fit(Line(), data(), MUON, seed=1, quiet=True)
