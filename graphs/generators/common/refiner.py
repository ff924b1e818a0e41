"""The type of a refiner of graphs, whatever its kind."""

from typing import Any

from torch import Tensor

from graphs.data.batch import GraphBatch
from refine_core.refiner import Refiner

GraphData = tuple[GraphBatch] | tuple[GraphBatch, Tensor]
"""What a step of training sees: graphs, and their properties (b, p) where there are any."""
GraphRefiner = Refiner[GraphBatch, Any, Any, Tensor]
"""Features and states are the kind's own; the context is (b, p) properties."""
