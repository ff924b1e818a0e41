"""Settings of contractions."""

from dataclasses import field
from typing import Annotated, ClassVar, Literal

from graphs.generators.common.config import (
    NetworkConfig,
    SamplingConfig,
    check_known,
)
from refine_core.config.ranges import Share, admitting
from refine_core.config.schema import config
from refine_core.methods.registry import Methods

EdgeTokens = Literal["all", "none"]


@config
class ContractionConfig(NetworkConfig):
    """Graphs come apart from one cluster, split by split; the default.

    The only kind that takes properties, scaffolds and directed graphs.

    Raises:
        InputError: A value is out of its range, or `heads` does not divide `dim`.

    >>> import graphs
    >>> graphs.ContractionConfig(dim=256, matching="rings").edge_tokens
    'all'
    >>> graphs.ContractionConfig(dim=100, heads=8)
    Traceback (most recent call last):
    ...
    refine_core.errors.InputError: ContractionConfig: found dim 100 and heads 8, expected...
    """

    takes_properties: ClassVar[bool] = True

    kind: Literal["contraction"] = "contraction"
    """`expansion` and `masked` are the other kinds; their options follow `--model.kind`."""
    bounded: bool = True
    """Whether splits are drawn again that leave a node more edges, or of higher order, than any
    node of its label had in training."""
    matching: Literal["random", "rings"] = "random"
    """The neighbour with which a cluster is contracted. random: any with which it makes a small
    cluster; rings: likewise, and rings before the edges that join them."""
    edge_tokens: EdgeTokens = "all"
    """Edges that are tokens: all; or none, which is the fastest: edges pass messages between
    clusters, and their labels bias attention."""
    scale_subsampling: (
        Annotated[float, admitting(lambda x: x >= 1, "a number of at least 1")] | None
    ) = None
    """The chance of training on a scale of m clusters is this / sqrt(m), so that a step can hold
    more graphs; the loss stays unbiased. null trains on all scales."""
    property_dropout: Share = 0.1
    """Share of samples trained without their properties, for guidance."""
    single_dropout: Share = 0.0
    """With several properties, the share of values left out one by one in training, so that any
    subset of them can be asked for."""
    methods: Methods = field(default_factory=dict)
    """Methods of training and sampling that suit graphs, as a list of names or fields by name."""

    def check_sampling(self, sampling: SamplingConfig) -> None:
        """Refuse settings that contractions do not know."""
        advice = {"calls": "whose calls follow from the size of its graphs: leave it out"}
        known = ("temperature", "first_temperature", "guidance", "particles", "methods")
        check_known("contraction", sampling, known, advice)
