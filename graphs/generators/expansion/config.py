"""Settings of local expansion."""

from typing import Literal

from graphs.generators.common.config import Matching, NetworkConfig
from refine_core.config.ranges import PositiveInt
from refine_core.config.schema import config


@config
class ExpansionConfig(NetworkConfig):
    """Graphs without labels come apart from one cluster, and assign their edges one by one."""

    kind: Literal["expansion"] = "expansion"
    """`contraction` and `masked` are the other kinds; their options follow `--model.kind`."""
    matching: Matching = "random"
    """The neighbour with which a cluster is contracted, as for contractions: random, rings, dense
    (for block models) or tight (for triangulations)."""
    counted: bool = False
    """Whether edges between clusters are counted, for graphs whose communities show in how many
    there are; or it is only known that there are some."""
    scale_subsampling: PositiveInt | None = None
    """The chance of training on a scale of m clusters is this / m, so that a step can hold more
    graphs. null trains on all scales."""
