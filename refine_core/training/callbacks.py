"""Calls from the training loop to code of the user.

>>> class EarlyStopping(Callback[Module]):
...     def end_epoch(self, state: TrainState[Module]) -> bool:
...         losses = [row["validation"] for row in state.history]
...         return len(losses) - losses.index(min(losses)) > 5
"""

from typing import Generic

from refine_core.training.state import Module, TrainState


class Callback(Generic[Module]):
    """Is called by `fit` at its start, after every step and epoch; a subclass overrides some.

    All processes call it. A decision that depends on `state.history` only is the same in a run
    that was interrupted.
    """

    def start(self, state: TrainState[Module]) -> None:
        """Called before the first step; in a run that goes on, with the state of its checkpoint.

        A run may have been stopped between a step and what a callback had to do after it.
        """

    def end_step(self, state: TrainState[Module]) -> None:
        """Called after each step, whose metrics are `state.metrics[-1]`."""

    def end_epoch(self, state: TrainState[Module]) -> bool:
        """Called after each epoch, whose metrics are `state.history[-1]`.

        Returns:
            Whether the training ends here.
        """
        return False
