"""Training of a forecast model, stage by stage."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from weather.training.run import check_config as check_config
    from weather.training.run import train as train
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
