"""What a domain supplies around the transformer: an embedding before it, a head behind it."""

from abc import ABC, abstractmethod
from typing import Any, Protocol

from torch import Tensor, nn

from refine_core.head import CodeDistribution
from refine_core.tokens import Tokens


class Embed(nn.Module, ABC):
    """A domain's embedding. Positions live here, and only here."""

    @abstractmethod
    def forward(self, state: Any, k: int, context: Any = None) -> Tokens:
        """Tokens of scale k, level k + 1, from the state before it.

        What a context says of each token, such as a map, may be added here; what it says of the
        whole sample belongs to `context`.
        """

    @abstractmethod
    def context(self, context: Any, count: int) -> Tokens:
        """Level-0 tokens (or none) and the condition of `count` samples; None is no context."""

    @abstractmethod
    def drop(self, context: Any, where: Tensor) -> Any:
        """Context without the samples `where` (b,) is True, for classifier-free training."""


class Head(Protocol):
    """Hidden states (b, n, d) of scale k, with the state before it, to a distribution of codes."""

    def __call__(
        self, hidden: Tensor, state: Any, k: int, valid: Tensor | None = None
    ) -> CodeDistribution:
        """Distribution over codes (b, n, g)."""
        ...
