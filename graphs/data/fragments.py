"""Nodes that stand for small graphs, as tables: their sites, and how these are alike."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class FragmentTables:
    """What is known of the T labels of nodes, of which some stand for several atoms.

    Args:
        free: (T, P) int64 bonds that each site can take; 0 beyond a label's last site.
        atom: (T, P) int64 atomic number of each site.
        distance: (T, P, P) int64 bonds between sites.
        symmetries: (T, G, P) int64 images of the sites, the identity where there are fewer.
    """

    free: Tensor
    atom: Tensor
    distance: Tensor
    symmetries: Tensor

    @property
    def choice(self) -> Tensor:
        """(T,) bool, labels with more than one site that takes bonds."""
        return (self.free > 0).sum(1) > 1


def canonical(sites: Tensor, real: Tensor, symmetries: Tensor) -> Tensor:
    """The least of the sequences of sites that are alike, (r, d).

    Args:
        sites: (r, d) int64.
        real: (r, d) bool, False behind the last of a row.
        symmetries: (r, G, P) of each row's label.

    >>> turn = torch.tensor([[[0, 1, 2], [1, 2, 0], [2, 0, 1]]])
    >>> canonical(torch.tensor([[2, 0]]), torch.ones(1, 2).bool(), turn).tolist()
    [[0, 1]]
    """
    return torch.where(real, least_turn(sites, real, symmetries).gather(1, sites), sites)


def least_turn(sites: Tensor, real: Tensor, symmetries: Tensor) -> Tensor:
    """(r, P) the symmetry that maps a sequence of sites to the least, see `canonical`."""
    alive = torch.ones(symmetries.shape[:2], dtype=torch.bool, device=sites.device)
    for site, here in zip(sites.unbind(1), real.unbind(1), strict=True):
        place = site[:, None, None].expand(-1, symmetries.shape[1], 1)
        image = symmetries.gather(2, place)[..., 0]
        best = torch.where(alive, image, symmetries.shape[2]).amin(1)
        alive = alive & ((image == best[:, None]) | ~here[:, None])
    first = alive.long().argmax(1)
    return symmetries[torch.arange(len(first), device=first.device), first]


def least_images(alive: Tensor, symmetries: Tensor) -> Tensor:
    """(r, P) the least image of each site under the symmetries (r, G, P) that are alive (r, G)."""
    shown = torch.where(alive[:, :, None], symmetries, symmetries.shape[2])
    return shown.amin(1)


def fixing(sites: Tensor, symmetries: Tensor) -> Tensor:
    """(r, G) bool, the symmetries (r, G, P) that leave a site (r,) where it is."""
    place = sites[:, None, None].expand(-1, symmetries.shape[1], 1)
    return symmetries.gather(2, place)[..., 0] == sites[:, None]
