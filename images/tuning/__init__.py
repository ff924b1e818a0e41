"""What to sample and to train with: settings calibrated, searched for, and methods compared."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from images.tuning.calibration import calibrate as calibrate
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
