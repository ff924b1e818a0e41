"""How often each node takes each place in the connected induced subgraphs of up to four nodes.

Places are the 15 orbits of Przulj (2007), in the numbering of ORCA (Hocevar & Demsar, 2014):
0 edge; 1, 2 end and middle of the path of three; 3 triangle; 4, 5 end and inner node of the path
of four; 6, 7 leaf and centre of the claw; 8 four-cycle; 9, 10, 11 the paw's pendant node, its two
free triangle nodes and its node of degree three; 12, 13 the diamond's nodes of degree two and
three; 14 the complete graph of four.

Occurrences that need not be induced have closed forms in degrees, triangles and common
neighbours; the induced counts follow by subtracting, from the densest subgraph down, those that
lie inside a denser one (the approach of ESCAPE, Pinar et al., 2017). Each subtrahend below is the
number of times the sparser subgraph, with the node in that place, lies inside the denser one.
"""

import numpy as np
from numpy.typing import NDArray

from graphs.metrics.adjacency import Adjacency

Counts = NDArray[np.int64]


def orbit_counts(adjacency: Adjacency) -> Counts:
    """Return (n, 15) counts of orbits 0 to 14 at each node of a graph (n, n), exact."""
    a = adjacency.astype(np.int64)
    d = a.sum(1)
    common = a @ a
    np.fill_diagonal(common, 0)
    shared = common * a  # triangles on each edge
    t = shared.sum(1) // 2
    k = _cliques(a)
    o12 = ((a @ (shared - a)) * a).sum(1) // 2 - 3 * k
    o13 = _pairs(shared).sum(1) - 3 * k
    o8 = _pairs(common).sum(1) - o12 - o13 - 3 * k
    o9 = a @ t - 2 * t - 2 * o12 - 3 * k
    o10 = shared @ (d - 2) - 2 * o12 - 2 * o13 - 6 * k
    o11 = t * (d - 2) - 2 * o13 - 3 * k
    o6 = a @ _pairs(d - 1) - o9 - o10 - 2 * o12 - o13 - 3 * k
    o7 = d * (d - 1) * (d - 2) // 6 - o11 - o13 - k
    o4 = common @ (d - 1) - 2 * t - 2 * (o8 + o9 + o13) - o10 - 4 * o12 - 6 * k
    o5 = (d - 1) * (a @ (d - 1)) - 2 * t - 2 * (o8 + o11 + o12) - o10 - 4 * o13 - 6 * k
    three = [d, a @ (d - 1) - 2 * t, _pairs(d) - t, t]
    return np.stack([*three, o4, o5, o6, o7, o8, o9, o10, o11, o12, o13, k], 1)


def _pairs(x: Counts) -> Counts:
    """Ways to choose two of x."""
    return x * (x - 1) // 2


def _cliques(a: Counts) -> Counts:
    """Complete subgraphs of four nodes at each node: triangles among its neighbours."""
    result = np.zeros(len(a), np.int64)
    for node, row in enumerate(a):
        near = np.flatnonzero(row)
        inner = a[np.ix_(near, near)]
        result[node] = ((inner @ inner) * inner).sum() // 6
    return result
