"""Training data: checked, prepared as arrays mapped into memory, and cut into windows."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from weather.data.checks import source_problems as source_problems
    from weather.data.config import DataConfig as DataConfig
    from weather.data.preparation import prepare as prepare
    from weather.data.prepared import Prepared as Prepared
    from weather.data.statistics import Statistics as Statistics
    from weather.data.time_parts import TimeParts as TimeParts
    from weather.data.windows import Windows as Windows
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
