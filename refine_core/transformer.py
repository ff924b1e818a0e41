"""The transformer: attention over levels, adaptive norms, a cache; it knows no positions.

    h = x + gate_1 * attention(scale_1 * norm(x) + shift_1)
    y = h + gate_2 * mlp(scale_2 * norm(h) + shift_2)

with scales, shifts and gates the sum of a part from the condition vector and one of the token's
level (adaLN-zero, arXiv 2212.09748): a sample's part is computed once, a level's is looked up.
Tokens of one level see each other and all coarser ones (paper, eq. 2), so a level's keys and
values never change once computed, and sampling with the cache equals teacher forcing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refine_core.device import precision_context
from refine_core.errors import InputError, check_choice
from refine_core.tokens import History, Tokens, visible
from refine_core.training.muon import linear_weights


@dataclass
class Cache:
    """Tokens seen so far: one pair (keys, values) per block, levels and validity."""

    pairs: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    level: Tensor | None = None
    valid: Tensor | None = None

    def rows(self, index: Tensor) -> "Cache":
        """The cache of some of the batch's rows, (n,) int64."""
        pairs = [(keys[index], values[index]) for keys, values in self.pairs]
        return Cache(pairs, self.level, None if self.valid is None else self.valid[index])

    @classmethod
    def stacked(cls, parts: "Sequence[Cache]") -> "Cache":
        """The cache of the rows of all parts, which hold tokens of the same levels."""
        every = zip(*(part.pairs for part in parts), strict=True)
        pairs = [tuple(map(torch.cat, zip(*pairs, strict=True))) for pairs in every]
        valid = None
        if any(part.valid is not None for part in parts):
            valid = torch.cat([part.real for part in parts])
        return cls([(keys, values) for keys, values in pairs], parts[0].level, valid)

    @property
    def real(self) -> Tensor:
        """(b, n) bool: `valid` of a cache that holds tokens, spelt out."""
        keys = self.pairs[0][0]
        every = torch.ones(len(keys), keys.shape[2], dtype=torch.bool, device=keys.device)
        return every if self.valid is None else self.valid


class Transformer(nn.Module):
    """Transformer over tokens of several levels.

    Args:
        dim: Width d.
        depth: Count of blocks.
        heads: Attention heads; divides `dim`.
        levels: Count of levels, context included.
        condition: Width c of the tokens' condition vector.
        mlp: Hidden width of the feed-forward layers, as a multiple of `dim`.
        history: See `refine_core.tokens.History`.
        dropout: On the outputs of attention and feed-forward layers while training.

    Raises:
        InputError: If `heads` does not divide `dim`, or the history is unknown.

    >>> import torch
    >>> import refine_core as rc
    >>> net = rc.Transformer(dim=8, depth=2, heads=2, levels=3, condition=4)
    >>> tokens = rc.Tokens(torch.randn(2, 5, 8), torch.tensor([0, 1, 1, 2, 2]))
    >>> net(tokens).shape
    torch.Size([2, 5, 8])
    """

    def __init__(
        self,
        dim: int,
        depth: int,
        heads: int,
        levels: int,
        condition: int,
        *,
        mlp: float = 4.0,
        history: History = "full",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if dim % heads:
            raise InputError(
                f"A width of {dim} does not divide into {heads} heads: choose a multiple."
            )
        check_choice("The history", history, get_args(History))
        self.dim, self.levels, self.history = dim, levels, history
        hidden = int(dim * mlp)
        self.blocks = nn.ModuleList(
            Block(dim, heads, hidden, condition, levels, dropout) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = Modulation(condition, levels, dim, "sb")

    def modulate(self, condition: Tensor) -> list[Tensor]:
        """Parts of the modulations that follow from conditions (b, c) or (b, n, c).

        One (b, 1 or n, parts * d) for each block, and one for the last norm. They are the same at
        every scale: a sampler computes them once.
        """
        active = F.silu(condition)
        modulations = [*(cast(Block, block).modulation for block in self.blocks), self.modulation]
        made = [cast(Tensor, each.sample(active)) for each in modulations]
        return [each[:, None] if each.ndim == 2 else each for each in made]

    def forward(
        self,
        tokens: Tokens,
        cache: Cache | None = None,
        modulations: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """Hidden states (b, n, d) of `tokens`, which also see those in the cache.

        `modulations` are those of the tokens' condition, computed here unless given.
        """
        if self.training:  # in the precision of the training
            return self._hidden(tokens, cache, modulations)
        with precision_context(tokens.value.device):
            return self._hidden(tokens, cache, modulations)

    def _hidden(
        self, tokens: Tokens, cache: Cache | None, modulations: Sequence[Tensor] | None
    ) -> Tensor:
        samples: Sequence[Tensor | None] = [None] * (len(self.blocks) + 1)
        if modulations is not None:
            samples = modulations
        elif tokens.condition is not None:
            samples = self.modulate(tokens.condition)
        levels = tokens.levels
        alike = bool((levels == levels[:1]).all())
        level = (levels[:1] if alike else levels).to(tokens.value.device)
        mask = self._mask(tokens, cache)
        x = tokens.value
        for number, block in enumerate(self.blocks):
            past = cache.pairs[number] if cache is not None and cache.level is not None else None
            x, pair = block(x, samples[number], level, mask, past)
            if cache is not None:
                cache.pairs[number : number + 1] = [pair]
        if cache is not None:
            cache.valid = _extend(cache, tokens)
            past_level = [] if cache.level is None else [cache.level]
            cache.level = torch.cat([*past_level, levels])
        scale, shift = self.modulation(samples[-1], level)
        return torch.addcmul(shift, self.norm(x), scale)

    def _mask(self, tokens: Tokens, cache: Cache | None) -> Tensor | None:
        """Additive mask (b or 1, heads or 1, n, cached + n), or None if all is visible."""
        level, valid, old = tokens.levels, tokens.valid, 0
        if cache is not None and cache.level is not None:
            level, valid, old = (
                torch.cat([cache.level, level]),
                _extend(cache, tokens),
                len(cache.level),
            )
        seen = visible(tokens.levels, level, self.history)[None, None]
        if valid is not None:
            # A padded query sees itself, lest its softmax be empty.
            itself = torch.eye(len(level), dtype=torch.bool, device=valid.device)[old:]
            seen = (seen.to(valid.device) & valid[:, None, None]) | itself
        if tokens.bias is None and bool(seen.all()):
            return None
        seen = seen.to(tokens.value.device)
        mask = torch.zeros(seen.shape, device=seen.device).masked_fill(~seen, -torch.inf)
        if tokens.bias is not None:
            mask = mask + F.pad(tokens.bias, (old, 0))
        return mask.to(tokens.value.dtype)


class Block(nn.Module):
    """One pre-norm block with adaptive layer norms."""

    def __init__(
        self, dim: int, heads: int, hidden: int, condition: int, levels: int, dropout: float
    ) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = Modulation(condition, levels, dim, "sbgsbg")
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))
        self.dropout = nn.Dropout(dropout)

    def matrices(self) -> list[nn.Parameter]:
        """Matrices between hidden states, see `refine_core.training.muon`."""
        return linear_weights(self.qkv, self.out, self.mlp)

    def forward(
        self,
        x: Tensor,
        sample: Tensor | None,
        level: Tensor,
        mask: Tensor | None,
        past: tuple[Tensor, Tensor] | None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Next hidden states (b, n, d); keys and values (b, heads, cached + n, head_dim)."""
        six = self.modulation(sample, level)
        entering = torch.addcmul(six[1], self.norm(x), six[0])
        q, k, v = self.qkv(entering).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        mixed = attend(q, k, v, mask)
        x = torch.addcmul(x, six[2], self.dropout(self.out(mixed.transpose(1, 2).flatten(2))))
        hidden = self.mlp(torch.addcmul(six[4], self.norm(x), six[3]))
        return torch.addcmul(x, six[5], self.dropout(hidden)), (k, v)


class Modulation(nn.Module):
    """Scales (s) of one, shifts (b) and gates (g) of zero before any training.

    Args:
        condition: Width c of the condition vector.
        levels: Count of levels.
        dim: Width d.
        parts: One letter for each vector returned, such as "sb".
    """

    def __init__(self, condition: int, levels: int, dim: int, parts: str) -> None:
        super().__init__()
        self.dim = dim
        self.sample = nn.Linear(condition, len(parts) * dim, bias=False)
        self.level = nn.Embedding(levels, len(parts) * dim)
        nn.init.zeros_(self.sample.weight)
        start = torch.tensor([float(part == "s") for part in parts]).repeat_interleave(dim)
        with torch.no_grad():
            self.level.weight.copy_(start.expand(levels, -1))

    def forward(self, sample: Tensor | None, level: Tensor) -> tuple[Tensor, ...]:
        """One (b or 1, n or 1, d) a part, of the sample (see `Transformer.modulate`) and level."""
        levels: tuple[Tensor, ...] = self.level(level)[None].split(self.dim, -1)
        if sample is None:
            return levels
        return tuple(a + b for a, b in zip(sample.split(self.dim, -1), levels, strict=True))


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Attention (b, heads, n, head_dim) of queries (b, heads, n, head_dim) to keys and values.

    On processors the fused kernel's gradient in bfloat16 takes eight times as long as the plain
    products, so training there takes these.
    """
    if not (q.requires_grad and q.dtype == torch.bfloat16 and q.device.type == "cpu"):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    logits = (q * q.shape[-1] ** -0.5) @ k.transpose(2, 3)
    return torch.softmax(logits if mask is None else logits + mask.to(q.dtype), -1) @ v


def _extend(cache: Cache, tokens: Tokens) -> Tensor | None:
    """Validity (b, cached + n) of cached and new tokens."""
    if cache.level is None or (cache.valid is None and tokens.valid is None):
        return tokens.valid
    return torch.cat([cache.real, tokens.real], 1)
