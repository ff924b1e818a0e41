"""Muon: AdamW whose hidden matrices take orthogonal steps (Jordan 2024, arXiv 2502.16982).

The step of a matrix is the nearest matrix with orthonormal rows or columns to its momentum, so
that all directions move alike, those of rare features too. Five steps of a Newton-Schulz
iteration bring the singular values near one.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from refine_core.training.shards import full, is_sharded, local, share

MOMENTUM = 0.95
"""Decay of the momentum of matrices."""
SIZE = 0.2
"""Root mean square of a step's entries at a rate of one: about that of AdamW."""
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration, which takes singular values from .001 on to between .7 and 1.2."""


class Muon(torch.optim.AdamW):
    """Updates `matrices` by orthogonal steps, and all other parameters as AdamW.

    A step is as large as AdamW's (arXiv 2502.16982, section 2.2), so that one learning rate and
    one weight decay serve both.

    Args:
        matrices: Parameters (m, n).
        others: All other parameters that decay.
        free: Parameters that do not decay.
        rate: Learning rate.
        betas: AdamW's decays of momentum and second moment.
        decay: Weight decay.
        dtype: The precision of the iteration.
    """

    def __init__(
        self,
        matrices: list[nn.Parameter],
        others: list[nn.Parameter],
        free: list[nn.Parameter],
        *,
        rate: float,
        betas: tuple[float, float],
        decay: float,
        dtype: torch.dtype,
    ) -> None:
        decays = [(others, decay), (free, 0.0), (matrices, decay)]
        groups = [{"params": each, "weight_decay": decay} for each, decay in decays if each]
        super().__init__(groups, lr=rate, betas=betas, fused=True)
        self.matrices, self.dtype = matrices, dtype

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update the parameters."""
        found: dict[torch.Size, list[tuple[nn.Parameter, Tensor]]] = {}
        for weight in self.matrices:
            if weight.grad is not None:
                found.setdefault(weight.shape, []).append((weight, weight.grad))
                weight.grad = None
        super().step()  # of all that has a gradient left
        rate, decay = (self.param_groups[-1][key] for key in ("lr", "weight_decay"))
        for shape, pairs in found.items():
            steps = self._orthogonal([self._momentum(*pair) for pair in pairs])
            for (weight, _), step in zip(pairs, steps, strict=True):
                local(weight).mul_(1 - rate * decay)
                local(weight).sub_(step, alpha=rate * SIZE * max(shape) ** 0.5)

    def _orthogonal(self, momenta: Sequence[Tensor]) -> Iterable[Tensor]:
        """What this process holds of the orthogonal steps of matrices of one shape.

        Sharded ones are gathered one after the other, so that one is there as a whole at a time.
        """
        first = momenta[0]
        if not is_sharded(first):
            return orthogonal(torch.stack(list(momenta)), self.dtype)
        rows = share(len(first), first.device_mesh)
        return (orthogonal(full(each)[None], self.dtype)[0, rows] for each in momenta)

    def _momentum(self, weight: nn.Parameter, grad: Tensor) -> Tensor:
        """Nesterov's momentum after a gradient."""
        state = self.state[weight]
        if not state:
            state["step"] = torch.zeros(())  # which AdamW expects of all when it is loaded
            state["momentum"] = torch.zeros_like(weight)
        state["step"] += 1
        momentum: Tensor = state["momentum"].lerp_(grad, 1 - MOMENTUM)
        return grad.lerp(momentum, MOMENTUM)


def linear_weights(*parts: nn.Module) -> list[nn.Parameter]:
    """Weights of the linear layers in parts of a network."""
    layers = [each for part in parts for each in part.modules() if isinstance(each, nn.Linear)]
    return [layer.get_parameter("weight") for layer in layers]


def orthogonal(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Matrices (b, m, n) with the singular vectors of `x` and singular values near one.

    >>> x = torch.diag(torch.tensor([5.0, -0.1, 3.0]))[None]
    >>> [round(value, 1) for value in orthogonal(x, torch.float32)[0].diagonal().tolist()]
    [1.0, -0.8, 0.7]
    """
    tall = x.shape[-2] > x.shape[-1]
    y = x.mT if tall else x
    y = (y / torch.linalg.matrix_norm(y, keepdim=True).clamp_min(1e-12)).to(dtype)
    first, second, third = COEFFICIENTS
    for _ in range(5):
        gram = y @ y.mT
        y = first * y + (second * gram + third * gram @ gram) @ y
    made: Tensor = y.mT if tall else y
    return made.to(x.dtype)
