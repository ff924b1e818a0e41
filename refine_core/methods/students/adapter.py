"""Low-rank adapters on frozen weights, by which a refiner learns to skip scales.

    W' = W + (alpha / r) B A,   A (r, in), B (out, r)

LoRA (Hu et al., 2021, arXiv 2106.09685); LCM-LoRA (Luo et al., 2023, arXiv 2311.05556) trains it
with a distillation loss in place of a full student. B starts at zero, so that training starts from
the frozen network exactly; at the end the product is added to the weights, so that sampling costs
no more than before.

    adapt(student.transformer, rank=8)      # a `Distillation` trains the adapters alone
    merge(student.transformer)              # plain weights, of the same names as before
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from refine_core.errors import InputError


class LowRank(nn.Module):
    """Adds a product of two thin matrices to a weight.

    Args:
        weight: The weight (out, in) that it is added to.
        rank: Columns r of B, and rows of A.
        alpha: The product is multiplied by alpha / r.
    """

    def __init__(self, weight: Tensor, rank: int, alpha: float) -> None:
        super().__init__()
        self.scale = alpha / rank
        self.down = nn.Parameter(weight.new_empty(rank, weight.shape[1]))
        self.up = nn.Parameter(weight.new_zeros(weight.shape[0], rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        """The weight (out, in) with the product added."""
        return torch.addmm(weight, self.up, self.down, alpha=self.scale)


def adapt(module: nn.Module, rank: int, *, alpha: float | None = None) -> list[nn.Parameter]:
    """Freeze a module and give each of its linear layers an adapter, in place.

    Args:
        module: Any module. All of its parameters are frozen; only adapters are trained.
        rank: Rank r of the adapters; 0 gives none.
        alpha: See the top of the file; by default r.

    Returns:
        The parameters of the adapters.

    Raises:
        InputError: The rank is negative, or the module has adapters already.
    """
    if rank < 0:
        raise InputError(f"Found rank {rank}, expected 0 or more; 0 gives no adapter.")
    layers = _linear(module)
    if any(parametrize.is_parametrized(layer, "weight") for layer in layers):
        raise InputError("The module has adapters already: `merge` them first.")
    module.requires_grad_(False)
    added: list[nn.Parameter] = []
    for layer in layers if rank else []:
        adapter = LowRank(layer.weight, rank, rank if alpha is None else alpha)
        parametrize.register_parametrization(layer, "weight", adapter)
        added += adapter.parameters()
    return added


def merge(module: nn.Module) -> None:
    """Add adapters to the weights of a module and drop them, in place."""
    for layer in _linear(module):
        if parametrize.is_parametrized(layer, "weight"):
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)


def _linear(module: nn.Module) -> list[nn.Linear]:
    """Linear layers of a module, each once."""
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
