"""Types of arrays that every room shares."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
"""Real numbers of any precision."""
Times = NDArray[np.datetime64]
Leads = NDArray[np.timedelta64]
"""Lead times."""
