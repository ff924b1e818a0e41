"""Configuration of the data that a model is trained on."""

from refine_core.config.ranges import NonNegativeInt, PositiveInt
from refine_core.config.schema import config
from weather.fields.channel import Channel


@config
class DataConfig:
    """The data that a model is trained on."""

    source: str = ""
    """Path or URL of a Zarr store, netCDF or GRIB file."""
    atmospheric: tuple[str, ...] = ()
    """Variables on pressure levels, by WeatherBench 2 name; predicted on each of `levels`."""
    levels: tuple[PositiveInt, ...] = ()
    """Pressure levels, in hPa."""
    surface: tuple[str, ...] = ()
    """Predicted variables without levels."""
    diagnostic: tuple[str, ...] = ()
    """Variables without levels that are predicted but never an input, such as precipitation."""
    static: tuple[str, ...] = ()
    """Fields without time: land-sea mask, orography."""
    forcing: tuple[str, ...] = ()
    """Fields without levels that are known in advance: inputs at the valid time, not predicted.
    `toa_incident_solar_radiation` is computed where the source lacks it."""
    masked: tuple[str, ...] = ()
    """Those of these variables that have no values (NaN) in some cells, the same ones at all
    times: sea surface temperature over land, soil moisture over the sea."""
    step_hours: PositiveInt = 24
    """Length of a model step."""
    history: PositiveInt = 1
    """Past states in the input of a step, `step_hours` apart."""
    train: tuple[str, str] = ("1900-01-01", "2100-01-01")
    """First and last day of the training part, both included."""
    validation: tuple[str, str] = ("1900-01-01", "2100-01-01")
    """First and last day of the validation part, both included."""
    test: tuple[str, str] = ("1900-01-01", "2100-01-01")
    """First and last day of the test part, both included."""
    gap_days: NonNegativeInt = 15
    """Least number of days between two parts."""

    @property
    def channels(self) -> list[Channel]:
        """Predicted maps in the model's order: those of the state, then diagnostic ones."""
        return self.state_channels + [Channel(name) for name in self.diagnostic]

    @property
    def state_channels(self) -> list[Channel]:
        """Maps of a state, input and output: by variable, then by level; the surface behind."""
        upper = [Channel(name, level) for name in self.atmospheric for level in self.levels]
        return upper + [Channel(name) for name in self.surface]

    @property
    def forcing_channels(self) -> list[Channel]:
        """Fields given for the valid time, in the order of `forcing`."""
        return [Channel(name) for name in self.forcing]
