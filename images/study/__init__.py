"""Refinement and diffusion on equal terms: one backbone, one budget, every space and sampler."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from images.study.model import Bits as Bits
    from images.study.model import Setting as Setting
    from images.study.model import StudyModel as StudyModel
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
