"""Training: the one loop, its state, a run's folder, and the stages of a run."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from refine_core.training.callbacks import Callback as Callback
    from refine_core.training.config import Optimisation as Optimisation
    from refine_core.training.loop import fit as fit
    from refine_core.training.runs import Run as Run
    from refine_core.training.stages import Stages as Stages
    from refine_core.training.state import TrainState as TrainState
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
