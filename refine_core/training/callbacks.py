"""Calls from the training loop to code of the user.

>>> class EarlyStopping(Callback[Module]):
...     def end_epoch(self, state: TrainState[Module]) -> bool:
...         losses = [row["validation"] for row in state.history]
...         return len(losses) - losses.index(min(losses)) > 5
"""

from typing import Generic

from refine_core.training.state import Module, TrainState


class Callback(Generic[Module]):
    """Is called by `fit` after every step and every epoch; a subclass overrides what it needs.

    All processes call it. A decision that depends on `state.history` only is the same in a run
    that was interrupted.
    """

    def end_step(self, state: TrainState[Module]) -> None:
        """Called after each step, whose metrics are `state.metrics[-1]`."""

    def end_epoch(self, state: TrainState[Module]) -> bool:
        """Called after each epoch, whose metrics are `state.history[-1]`.

        Returns:
            Whether the training ends here.
        """
        return False
