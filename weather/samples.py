"""The bundled sample: simulated states to start forecasts from, and earlier years."""

from pathlib import Path

FOLDER = Path(__file__).parent / "sample_data"
STATES = FOLDER / "gcm_2003.nc"
"""Daily states from 2003-11-01 to 2003-12-20."""
HISTORY = FOLDER / "gcm_history.nc"
"""The same season of 2000 to 2002, every second day."""
