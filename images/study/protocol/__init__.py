"""How a study is run: every arm trained with one budget, tuned alike, sampled and measured."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from images.study.protocol.run import run_study as run_study
    from images.study.protocol.scoring import Bench as Bench
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
