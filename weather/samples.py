"""The bundled sample: simulated states to start forecasts from, and earlier years."""

from pathlib import Path

FOLDER = Path(__file__).parent / "sample_data"
STATES = FOLDER / "gcm_2019.nc"
"""Daily states from 2019-11-01 to 2019-12-20."""
HISTORY = FOLDER / "gcm_history.nc"
"""The same season of 2016 to 2018, every third day."""
