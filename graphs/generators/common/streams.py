"""Names of the streams of random numbers that generators of graphs use beside the core's.

Streams of one generator differ where they share noise; scale k of a contraction or an expansion
uses the streams from 0 on, of noise of its own.
"""

from enum import IntEnum


class GraphStream(IntEnum):
    """Streams that all kinds of generators may use."""

    NODE_ORDER = -4
    """Order of the nodes of a sampled graph."""
    AGAIN = -8
    """Graphs that are drawn again."""


class ContractionStream(IntEnum):
    """Streams of contractions."""

    COARSENING = 0
    """Numbers of nodes that decide which edges are contracted first."""
    PROPERTY_DROPOUT = -3
    """Single properties that are left out in training."""
    SCALE_SUBSAMPLING = -5
    """Scales that a step of training learns from."""
    SITES = -7
    """Atoms of fragments at which bonds end."""


class ScaffoldStream(IntEnum):
    """Streams of what extends a scaffold, beside those of contractions."""

    COARSENING = -5
    """Numbers of the scaffold's nodes that decide which of its edges are contracted first."""
    PARTICLE = -6
    """Which of several samples is returned."""


class SplitStream(IntEnum):
    """Streams of the noise of one scale of a contraction."""

    NUMBERS = 0
    """Counts of the first child."""
    HALF_EDGES = 1
    """Which child half-edges go to."""
    CANDIDATE = 2
    """Which of several splits that keep a scaffold is taken."""


class ExpansionStream(IntEnum):
    """Streams of local expansion; those from 0 on are of the noise of one scale."""

    CLUSTER_DIGITS = 0
    """Sizes and counts of edges inside of a cluster's children."""
    NEIGHBOUR_DIGITS = 1
    """Edges of a cluster's children to its neighbours."""
    COARSENING = -1
    """Numbers of nodes that decide which edges are contracted first."""
    SIZE = -2
    """Size of a sampled graph."""
    NEIGHBOUR_ORDER = -5
    """Order in which edges to neighbours are assigned."""
    SCALE_THINNING = -6
    """Scales that a step of training learns from."""


class MaskedStream(IntEnum):
    """Streams of masked diffusion; node and edge labels use two each, from the one named."""

    LABELS = 0
    """Labels of one scale."""
    SIZE = -1
    """Size of a sampled graph."""
    ORDER = -3
    """Order in which elements are revealed."""
    HIDDEN = -4
    """Count of elements that are hidden in training."""
