"""What a domain supplies before the transformer: an embedding of states and contexts."""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from torch import Tensor, nn

from refine_core.errors import InputError
from refine_core.tokens import Tokens

StateT = TypeVar("StateT")
ContextT = TypeVar("ContextT")
Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d
_CONVOLUTIONS: dict[int, type[Convolution]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


class Embed(nn.Module, ABC, Generic[StateT, ContextT]):
    """A domain's embedding. Positions live here, and only here.

    Only `forward` has to be written; a model with a context writes `condition` or `memory`, and
    for guidance `drop`.

    >>> import torch
    >>> import refine_core as rc
    >>> class Cells(rc.Embed):
    ...     def __init__(self, channels, dim):
    ...         super().__init__()
    ...         self.enter = torch.nn.Linear(channels, dim)
    ...     def forward(self, state, k, context=None):
    ...         return rc.Tokens(self.enter(state.flatten(2).transpose(1, 2)))
    >>> Cells(3, 8)(torch.zeros(2, 3, 4, 4), k=0).value.shape
    torch.Size([2, 16, 8])
    """

    @abstractmethod
    def forward(self, state: StateT, k: int, context: ContextT | None = None) -> Tokens:
        """Tokens of scale k from the state before it; the refiner sets their level.

        What a context says of each token, such as a map, may be added here; what it says of the
        whole sample belongs to `condition`.
        """

    def condition(self, context: ContextT | None, count: int) -> Tensor | None:
        """Vector (count or 1, c) that every adaptive norm sees; None is zero.

        A context of None stands for samples of which nothing is known.
        """
        return None

    def memory(self, context: ContextT | None, count: int) -> Tokens | None:
        """Tokens of the context, which the tokens of every scale see; None is none."""
        return None

    def drop(self, context: ContextT, where: Tensor) -> ContextT:
        """Context without the samples `where` (b,) is True, for classifier-free guidance.

        Raises:
            NotImplementedError: The embedding has no context to drop.
        """
        raise NotImplementedError(f"{type(self).__name__} has no context that can be dropped.")

    def level(self, state: StateT, k: int) -> int:
        """Level of the tokens of scale k, 1 or more; the transformer has parameters for each."""
        return k + 1


def convolution(axes: int, channels: int, dim: int) -> Convolution:
    """A convolution of 3 x ... x 3 cells of a grid, (b, channels, *size) to (b, dim, *size).

    Raises:
        InputError: The grid has more than three axes.
    """
    if axes not in _CONVOLUTIONS:
        raise InputError(f"Grids have one to three axes, found {axes}: write an `Embed`.")
    return _CONVOLUTIONS[axes](channels, dim, 3, padding=1)
