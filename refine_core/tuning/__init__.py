"""Settings that are fitted or searched for, not trained."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from refine_core.tuning.calibration import HeldOut as HeldOut
    from refine_core.tuning.calibration import entropy_matched as entropy_matched
    from refine_core.tuning.search import Trial as Trial
    from refine_core.tuning.search import TrialRecord as TrialRecord
    from refine_core.tuning.search import Trials as Trials
    from refine_core.tuning.search import coordinate_search as coordinate_search
    from refine_core.tuning.search import successive_halving as successive_halving
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
