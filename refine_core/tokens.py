"""Tokens: what a domain's embedding hands to the transformer, and which tokens see which."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

History = Literal["full", "markov"]
"""'full' lets a scale attend to all coarser ones; 'markov' to itself and the context only (the
state that it refines still carries what the coarser scales said)."""


@dataclass(frozen=True)
class Tokens:
    """A padded batch of tokens of one or several levels.

    Positions, where there are any, are already in `value`; relations between tokens (a graph's
    edges) are in `bias`.

    Args:
        value: (b, n, d).
        level: (n,) int64 on the CPU, where it is asked for at every call; the same for the whole
            batch, non-decreasing; None is 0 for all. A refiner sets it: 0 for the context, and
            what `Embed.level` says for a scale.
        valid: (b, n) bool, False at padding; None means all.
        bias: (b or 1, heads or 1, n, n) added to attention logits between tokens of the same
            level; None is zero.
        condition: (b, c) vector that every adaptive norm sees, e.g. of a class, or (b, n, c) one
            for each token; None is zero.

    >>> import torch
    >>> import refine_core as rc
    >>> there = torch.tensor([[True, True, True], [True, False, False]])
    >>> tokens = rc.Tokens(torch.zeros(2, 3, 8), valid=there).at(level=1)
    >>> tokens.levels.tolist(), tokens.real.sum(1).tolist()
    ([1, 1, 1], [3, 1])
    """

    value: Tensor
    level: Tensor | None = None
    valid: Tensor | None = None
    bias: Tensor | None = None
    condition: Tensor | None = None

    @property
    def levels(self) -> Tensor:
        """(n,) int64: `level`, spelt out."""
        count = self.value.shape[1]
        return torch.zeros(count, dtype=torch.int64) if self.level is None else self.level

    @property
    def real(self) -> Tensor:
        """(b, n) bool: `valid`, spelt out."""
        if self.valid is not None:
            return self.valid
        return torch.ones(self.value.shape[:2], dtype=torch.bool, device=self.value.device)

    def at(self, level: int) -> "Tokens":
        """The same tokens, all of one level."""
        return replace(self, level=torch.full(self.value.shape[1:2], level))

    def rows(self, index: Tensor) -> "Tokens":
        """The tokens of some of the batch's rows, (n,) int64."""
        bias = self.bias if self.bias is None or len(self.bias) == 1 else self.bias[index]
        valid = None if self.valid is None else self.valid[index]
        condition = None if self.condition is None else self.condition[index]
        return replace(self, value=self.value[index], valid=valid, bias=bias, condition=condition)


def visible(query: Tensor, key: Tensor, history: History) -> Tensor:
    """Which tokens see which: (n_query, n_key) bool, from levels (n_query,) and (n_key,).

    A query sees its own and all coarser levels; under 'markov' only its own and the context (level
    0).

    >>> visible(torch.tensor([0, 1, 2]), torch.tensor([0, 1, 2]), "markov").int().tolist()
    [[1, 0, 0], [1, 1, 0], [1, 0, 1]]
    """
    q, k = query[:, None], key[None, :]
    return (k <= q) if history == "full" else (k == q) | (k == 0)


def join(parts: Sequence[Tokens], condition: Tensor | None = None) -> Tokens:
    """Concatenate tokens of different levels.

    Args:
        parts: One or more, of one batch.
        condition: (b, c), of the tokens of those parts that have none of their own.
    """
    if len(parts) == 1:
        own = parts[0].condition
        return replace(parts[0], condition=condition if own is None else own)
    return Tokens(
        value=torch.cat([part.value for part in parts], 1),
        level=torch.cat([part.levels for part in parts]),
        valid=None
        if all(p.valid is None for p in parts)
        else torch.cat([p.real for p in parts], 1),
        bias=_join_bias(parts),
        condition=_join_condition(parts, condition),
    )


def stack(parts: Sequence[Tokens]) -> Tokens:
    """Concatenate the batches of tokens that have the same levels and positions.

    What only some parts have is spelt out for the others: all valid, no bias, a condition of zero.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    bias = [part.bias for part in parts]
    condition = [part.condition for part in parts]
    return replace(
        first,
        value=torch.cat([part.value for part in parts]),
        valid=None
        if all(part.valid is None for part in parts)
        else torch.cat([part.real for part in parts]),
        bias=_stack([part.value for part in parts], bias),
        condition=_stack([part.value for part in parts], condition),
    )


def _stack(values: Sequence[Tensor], given: Sequence[Tensor | None]) -> Tensor | None:
    """Batches of one tensor each, with zeros where there is none."""
    found = [tensor for tensor in given if tensor is not None]
    if not found:
        return None
    shape = torch.broadcast_shapes(*(tensor.shape[1:] for tensor in found))
    rows = [
        (value.new_zeros(1, *shape) if tensor is None else tensor).expand(len(value), *shape)
        for value, tensor in zip(values, given, strict=True)
    ]
    return torch.cat(rows)


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


def _join_condition(parts: Sequence[Tokens], condition: Tensor | None) -> Tensor | None:
    """One for all tokens where no part has its own, else one for each token."""
    own = [part.condition for part in parts]
    if all(each is None for each in own):
        return condition
    width = next(each.shape[-1] for each in own if each is not None)
    rows = []
    for part, each in zip(parts, own, strict=True):
        batch, count = part.value.shape[:2]
        vector = condition if each is None else each
        if vector is None:
            vector = part.value.new_zeros(1, width)
        vector = vector if vector.ndim == 3 else vector[:, None]
        rows.append(vector.expand(batch, count, width))
    return torch.cat(rows, 1)
