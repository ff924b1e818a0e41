"""A small causal transformer's block, for all steps at once or for one after the other."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refine_core.training.muon import linear_weights


class CausalBlock(nn.Module):
    """One pre-norm block; the mask of `forward` makes it causal, in `step` the past does.

    Args:
        width: Width w, a multiple of `heads`.
        heads: Attention heads.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def matrices(self) -> list[nn.Parameter]:
        """Matrices between hidden states, see `refine_core.training.muon`."""
        return linear_weights(self.qkv, self.out, self.mlp)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Next states (rows, t, w) of all steps at once, under an additive mask."""
        q, k, v = self._heads(x)
        logits = (q * q.shape[-1] ** -0.5) @ k.transpose(2, 3) + mask.to(q.dtype)
        return self._rest(x, torch.softmax(logits, -1) @ v)

    def step(
        self, x: Tensor, past: tuple[Tensor, Tensor] | None, mask: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Next state (rows, 1, w) of one step, and keys and values up to it."""
        q, k, v = self._heads(x)
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self._rest(x, mixed), (k, v)

    def _heads(self, x: Tensor) -> tuple[Tensor, ...]:
        parts: Tensor = self.qkv(self.norms[0](x)).unflatten(2, (3, self.heads, -1))
        return tuple(parts.permute(2, 0, 3, 1, 4))

    def _rest(self, x: Tensor, mixed: Tensor) -> Tensor:
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        after: Tensor = x + self.mlp(self.norms[1](x))
        return after
