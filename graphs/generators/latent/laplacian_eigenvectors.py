# mypy: ignore-errors
"""A graph's own frequencies: eigenvectors of its Laplacian, their symmetry broken at random.

An equivariant network gives nodes of one orbit, such as all carbons of benzene, the same latent,
of which no bond could be decoded. Eigenvectors tell them apart and commute with relabelling, but
for a rotation of each eigenspace, of which a sign is the simplest (Lim et al., SignNet, arXiv
2202.13013); that is drawn at random here.
"""

import torch
from torch import Tensor

from graphs.data.batch import GraphBatch

_SAME = 1e-6  # eigenvalues nearer than this span one eigenspace
_PADDING = 1e3  # eigenvalue of padding


def frequencies(graphs: GraphBatch, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvectors (b, n, n), scaled to a mean square of one, and eigenvalues (b, n), ascending.

    With V the eigenvectors found, blocks of Q are the orthogonal factors of the blocks of V^T
    noise that belong to one eigenspace, and V Q is returned: another basis V turns V^T noise and Q
    the other way, so the result goes along with nodes and noise, whatever basis was found.

    Args:
        graphs: b graphs of n nodes.
        noise: (b, n, n) standard normal numbers, the rows being nodes'.
    """
    joined = (graphs.edges > 0).double()
    degree = joined.sum(2) + _PADDING * ~graphs.valid
    values, vectors = torch.linalg.eigh(torch.diag_embed(degree) - joined)
    same = (values[:, :, None] - values[:, None]).abs() < _SAME
    turn, upper = torch.linalg.qr((vectors.mT @ noise.double()) * same)
    turn = turn * upper.diagonal(dim1=1, dim2=2).sign()[:, None]
    inside = (values < _PADDING / 2)[:, None] & graphs.valid[:, :, None]
    scale = graphs.sizes.double().sqrt()[:, None, None]
    found = torch.where(inside, vectors @ turn * scale, 0.0)
    return found.float(), torch.where(values < _PADDING / 2, values, 0.0).float()
