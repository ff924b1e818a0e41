"""Calibration of an ensemble on validation data, and the reconstruction error of its codes."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from weather.calibration.candidate import Candidate as Candidate
    from weather.calibration.reconstruction_error import ReconstructionError as ReconstructionError
    from weather.calibration.search import calibrate as calibrate
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
