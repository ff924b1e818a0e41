"""Tokens: what a domain's embedding hands to the transformer, and who may see whom."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from refine_core.schedule import History


@dataclass(frozen=True)
class Tokens:
    """A padded batch of tokens of one or several levels.

    Level 0 is context, level k + 1 belongs to scale k. Positions, where there are any, are already
    in `value` or `rotary`; relations between tokens (a graph's edges) are in `bias`.

    Args:
        value: (b, n, d).
        level: (n,) int64, the same for the whole batch, non-decreasing.
        valid: (b, n) bool, False at padding; None means all.
        bias: (b or 1, heads or 1, n, n) added to attention logits between tokens of the same
            level; None is zero.
        rotary: (n, head_dim / 2) angles by which queries and keys are turned; None turns nothing.
        condition: (b, c) vector that every adaptive norm sees, e.g. of a class; None is zero.
    """

    value: Tensor
    level: Tensor
    valid: Tensor | None = None
    bias: Tensor | None = None
    rotary: Tensor | None = None
    condition: Tensor | None = None

    @property
    def real(self) -> Tensor:
        """(b, n) bool: `valid`, spelt out."""
        if self.valid is not None:
            return self.valid
        return torch.ones(self.value.shape[:2], dtype=torch.bool, device=self.value.device)


def visible(query: Tensor, key: Tensor, history: History) -> Tensor:
    """Who sees whom: (n_query, n_key) bool, from levels (n_query,) and (n_key,).

    A query sees its own and all coarser levels; under 'markov' only its own and the context (level
    0).

    >>> visible(torch.tensor([0, 1, 2]), torch.tensor([0, 1, 2]), "markov").int().tolist()
    [[1, 0, 0], [1, 1, 0], [1, 0, 1]]
    """
    q, k = query[:, None], key[None, :]
    return (k <= q) if history == "full" else (k == q) | (k == 0)


def join(parts: Sequence[Tokens]) -> Tokens:
    """Concatenate tokens of different levels; the first condition is kept."""
    values = torch.cat([part.value for part in parts], 1)
    rotary = None
    if any(part.rotary is not None for part in parts):
        width = next(part.rotary.shape[1] for part in parts if part.rotary is not None)
        still = [values.new_zeros(part.value.shape[1], width) for part in parts]
        rotary = torch.cat(
            [s if p.rotary is None else p.rotary for p, s in zip(parts, still, strict=True)]
        )
    return Tokens(
        value=values,
        level=torch.cat([part.level for part in parts]),
        valid=None
        if all(p.valid is None for p in parts)
        else torch.cat([p.real for p in parts], 1),
        bias=_join_bias(parts),
        rotary=rotary,
        condition=next((part.condition for part in parts if part.condition is not None), None),
    )


def _join_bias(parts: Sequence[Tokens]) -> Tensor | None:
    given = [part.bias for part in parts if part.bias is not None]
    if not given:
        return None
    batch, heads = max(b.shape[0] for b in given), max(b.shape[1] for b in given)
    total = sum(part.value.shape[1] for part in parts)
    whole = given[0].new_zeros(batch, heads, total, total)
    offset = 0
    for part in parts:
        n = part.value.shape[1]
        if part.bias is not None:
            whole[:, :, offset : offset + n, offset : offset + n] = part.bias
        offset += n
    return whole
