"""Grids, channels, variables and their units, times and regions."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from weather.fields.channel import Channel as Channel
    from weather.fields.grid import Grid as Grid
    from weather.fields.regions import REGIONS as REGIONS
    from weather.fields.regions import region_weights as region_weights
    from weather.fields.regions import regional_mean as regional_mean
    from weather.fields.regrid import Conservative as Conservative
    from weather.fields.times import parse_time as parse_time
    from weather.fields.variables import VARIABLES as VARIABLES
    from weather.fields.variables import Variable as Variable
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
