"""What a head returns for a scale, and what a head is."""

from typing import Protocol, Self, TypeVar, runtime_checkable

from torch import Tensor

from refine_core.noise import Noise

StateT_contra = TypeVar("StateT_contra", contravariant=True)


class Distribution(Protocol):
    """Distribution over the codes (b, n, g) of one scale.

    Heads return them, here one of the core:

    >>> import torch
    >>> import refine_core as rc
    >>> law = rc.CategoricalHead(8, 1, [16])(torch.randn(2, 4, 8), None, k=0)
    >>> code = law.sharpened(temperature=0).sample(rc.Noise.range(0, 2))  # the likeliest
    >>> bool((law.token_log_prob(code) >= law.token_log_prob(torch.zeros_like(code))).all())
    True
    """

    @property
    def valid(self) -> Tensor | None:
        """(b, n) bool, False at padding; None means all."""
        ...

    def token_log_prob(self, code: Tensor) -> Tensor:
        """Log-probability (or density) (b, n) of each token's code, in nats; zero at padding."""
        ...

    def log_prob(self, code: Tensor) -> Tensor:
        """Log-probability (or density) (b,) of codes, in nats."""
        ...

    def sample(self, noise: Noise) -> Tensor:
        """Codes (b, n, g)."""
        ...

    def guided(self, unconditional: Self, weight: float) -> Self:
        """Classifier-free guidance away from the unconditional distribution; 0 changes nothing."""
        ...

    def sharpened(
        self, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0
    ) -> Self:
        """More likely codes only; temperature 1 without limits changes nothing."""
        ...


@runtime_checkable
class OwnLoss(Protocol):
    """A distribution that is learnt by a loss of its own, as its likelihood costs too much."""

    def token_loss(self, code: Tensor, noise: Noise) -> Tensor:
        """Loss (b, n) of each token's code (b, n, g); zero at padding.

        Args:
            code: Codes.
            noise: Random numbers of the training step and the scale.
        """
        ...


class Head(Protocol[StateT_contra]):
    """Hidden states (b, n, d) of scale k, with the state before it, to a distribution of codes.

    Any callable of that form is one, such as a head that calms another:

    >>> import torch
    >>> import refine_core as rc
    >>> class Calm(torch.nn.Module):
    ...     def __init__(self, head):
    ...         super().__init__()
    ...         self.head = head
    ...     def forward(self, hidden, state, k, valid=None):
    ...         return self.head(hidden, state, k, valid).sharpened(temperature=0.9)
    >>> law = Calm(rc.CategoricalHead(8, 1, [16]))(torch.randn(2, 4, 8), None, k=0)
    >>> law.sample(rc.Noise.range(0, 2)).shape
    torch.Size([2, 4, 1])
    """

    def __call__(
        self, hidden: Tensor, state: StateT_contra, k: int, valid: Tensor | None = None
    ) -> Distribution:
        """Distribution over codes (b, n, g)."""
        ...
