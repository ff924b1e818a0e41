"""Which head a model has, as a config, and the head that is built of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from refine_core.config.ranges import PositiveInt
from refine_core.config.schema import config
from refine_core.errors import InputError

if TYPE_CHECKING:
    from refine_core.heads.categorical import BitwiseHead, CategoricalHead
    from refine_core.heads.depth import DepthHead
    from refine_core.heads.mixture import MixtureHead


@config
class HeadConfig:
    """How the codes of a scale depend on each other, given the transformer's hidden states.

    Raises:
        InputError: The heads do not divide the width.
    """

    kind: Literal["independent", "depth", "mixture"] = "independent"
    """independent: digits know nothing of each other; depth: they are drawn one after the other by
    a small network behind the transformer; mixture: they share a component."""
    across: Literal["digits", "tokens"] = "digits"
    """What knows each other: the digits of a token, or all digits of all tokens of a scale."""
    width: PositiveInt = 128
    """Width of the small network (depth), a multiple of its `heads`."""
    depth: PositiveInt = 2
    """Blocks of the small network (depth)."""
    heads: PositiveInt = 4
    """Attention heads of the small network (depth)."""
    base: bool = False
    """Whether the small network adds to the logits of an independent head (depth)."""
    components: PositiveInt = 8
    """Components (mixture)."""
    rank: PositiveInt = 32
    """Rank of what distinguishes components (mixture)."""

    def __post_init__(self) -> None:
        """Refuse a width that the heads do not divide."""
        if self.width % self.heads:
            raise InputError(
                f"found width {self.width} for {self.heads} heads, expected a multiple of "
                "the heads"
            )


def build_head(
    config: HeadConfig,
    dim: int,
    digits: int,
    sizes: Sequence[int],
    *,
    bitwise: bool = False,
    maps: Sequence[int] | None = None,
) -> "CategoricalHead | BitwiseHead | DepthHead | MixtureHead":
    """Head over codes of `digits` digits.

    Args:
        config: Which head.
        dim: Width of the transformer.
        digits: Digits of a code.
        sizes: Values of a digit, one count per scale.
        bitwise: Whether independent digits are bits, of one output each.
        maps: See `CategoricalHead`.

    Raises:
        InputError: Numbers do not fit together.
    """
    # Here, for a config is read before torch is needed.
    from refine_core.heads.categorical import BitwiseHead, CategoricalHead
    from refine_core.heads.depth import DepthHead
    from refine_core.heads.mixture import MixtureHead

    if config.kind == "depth":
        return DepthHead(
            dim,
            digits,
            sizes,
            across=config.across,
            width=config.width,
            depth=config.depth,
            heads=config.heads,
            base=config.base,
        )
    if config.kind == "mixture":
        return MixtureHead(
            dim,
            digits,
            sizes,
            components=config.components,
            across=config.across,
            rank=config.rank,
            maps=maps,
        )
    if bitwise:
        return BitwiseHead(dim, digits, len(sizes))
    return CategoricalHead(dim, digits, sizes, maps)
