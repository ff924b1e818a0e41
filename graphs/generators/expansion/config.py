"""Settings of local expansion."""

from typing import Literal

from graphs.generators.common.config import NetworkConfig, SamplingConfig, check_known
from refine_core.config.ranges import PositiveInt
from refine_core.config.schema import config


@config
class ExpansionConfig(NetworkConfig):
    """Graphs without labels come apart from one cluster, and assign their edges one by one.

    Raises:
        InputError: A value is out of its range, or `heads` does not divide `dim`.

    >>> import graphs
    >>> model = graphs.ExpansionConfig(matching="dense", counted=True)  # for block models
    >>> graphs.GraphsConfig(name="blocks", data=graphs.DataConfig("sbm"), model=model).model.kind
    'expansion'
    """

    kind: Literal["expansion"] = "expansion"
    """`contraction` and `masked` are the other kinds; their options follow `--model.kind`."""
    matching: Literal["random", "dense", "tight"] = "random"
    """The neighbour with which a cluster is contracted. random: any with which it makes a small
    cluster; dense: one with many paths of one or two edges in between, which keeps clusters inside
    communities; tight: one with no more than two common neighbours, which keeps triangulations
    such."""
    counted: bool = False
    """Whether edges between clusters are counted, for graphs whose communities show in how many
    there are; or it is only known that there are some."""
    scale_thinning: PositiveInt | None = None
    """The chance of training on a scale of m clusters is this / m, so that a step can hold more
    graphs; fine scales then weigh less in the loss. null trains on all scales."""

    def check_sampling(self, sampling: SamplingConfig) -> None:
        """Refuse settings that expansions do not know."""
        advice = {"calls": "whose calls follow from the size of its graphs: leave it out"}
        check_known("expansion", sampling, ("temperature", "particles"), advice)
