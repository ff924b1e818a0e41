"""How the codes of a scale are chosen, and what an edit keeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from torch import Tensor

from refine_core.errors import InputError
from refine_core.schedule import per_scale
from refine_core.tokenizer import FeaturesT


@dataclass(frozen=True)
class Sampling:
    """How the codes of one scale are sampled.

    Args:
        temperature: Divides the logits; 0 takes the most likely code.
        top_k: Keeps that many most likely values of each digit; None keeps all.
        top_p: Keeps the smallest set of values with this probability; 1 keeps all.
        guidance: Classifier-free guidance weight w of (1 + w) conditional - w unconditional
            logits; 0 is none.

    Raises:
        InputError: A number is out of its range.

    >>> import refine_core as rc
    >>> rc.Sampling(temperature=0.8, top_k=100)
    Sampling(temperature=0.8, top_k=100, top_p=1.0, guidance=0.0)
    >>> [each.guidance for each in rc.Sampling.per_scale(3, guidance=[0.0, 1.0, 1.5])]
    [0.0, 1.0, 1.5]
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    guidance: float = 0.0

    def __post_init__(self) -> None:
        ranges = {
            "temperature": (self.temperature >= 0, "zero or more"),
            "top_k": (self.top_k is None or self.top_k >= 1, "one or more, or None for all"),
            "top_p": (0 < self.top_p <= 1, "above 0, and 1 at most"),
            "guidance": (self.guidance > -1, "above -1; 0 is none"),
        }
        for name, (fits, expected) in ranges.items():
            if not fits:
                raise InputError(f"{name} is {getattr(self, name)}, expected {expected}.")

    @classmethod
    def per_scale(
        cls,
        count: int,
        *,
        temperature: Sequence[float] = (1.0,),
        top_k: int | None | Sequence[int | None] = None,
        top_p: Sequence[float] = (1.0,),
        guidance: Sequence[float] = (0.0,),
    ) -> "tuple[Sampling, ...]":
        """One for each of `count` scales, of one value for all or one each.

        >>> [each.temperature for each in Sampling.per_scale(2, temperature=[1.0, 0.8])]
        [1.0, 0.8]

        Raises:
            InputError: There are neither one nor `count` values, or one is out of its range.
        """
        columns = [
            per_scale(name, values, count)
            for name, values in (
                ("temperature", temperature),
                ("top_p", top_p),
                ("guidance", guidance),
            )
        ]
        listed = top_k if isinstance(top_k, Sequence) else [top_k]
        ranks = per_scale("top_k", listed, count)
        return tuple(cls(t, k, p, w) for k, t, p, w in zip(ranks, *columns, strict=True))


@dataclass(frozen=True)
class Keep(Generic[FeaturesT]):
    """What an edit holds fixed.

    The codes are derived anew from the reference at every scale, so later scales repair seams.

    Args:
        features: Features of the reference, as `Tokenizer.features` gives them.
        tokens: One mask (b, n_k) per scale, True where the reference stays.
    """

    features: FeaturesT
    tokens: Sequence[Tensor]
