"""The balance of residuals: what the mass field says of all other channels is taken out of them.

Errors of wind and temperature follow from those of geopotential and pressure: by geostrophy from
their slope, by hydrostasy from their values. Codes of the parts of a residual are drawn
independently of each other, so this has to be in the variables themselves, as in variational
assimilation (Derber and Bouttier 1999, Tellus 51A, 195-221): each other channel is replaced by
what is left of it after a linear regression, at every latitude, on value, slope and curvature of
the mass field there. The mass field stays as it is, so the change is exactly reversible.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from weather.fields.channel import Channel

MASS = ("geopotential", "mean_sea_level_pressure", "surface_pressure")
"""Variables of the mass field."""
RIDGE = 1e-3
"""Penalty of the regression, as a share of the predictors' mean square."""


class Balance(nn.Module):
    """A reversible linear change of residuals (b, C, H, W); at first, and without mass, none.

    Args:
        channels: The C channels.
        rows: Latitudes H.
    """

    coefficient: Tensor
    weight: Tensor
    place: Tensor
    others: Tensor

    def __init__(self, channels: Sequence[Channel], rows: int) -> None:
        super().__init__()
        place = [i for i, channel in enumerate(channels) if channel.variable in MASS]
        others = [i for i in range(len(channels)) if i not in place]
        self.has_mass = bool(place)
        self.register_buffer("place", torch.tensor(place, dtype=torch.int64), persistent=False)
        self.register_buffer("others", torch.tensor(others, dtype=torch.int64), persistent=False)
        self.register_buffer("coefficient", torch.zeros(len(others), 5 * len(place), rows))
        self.register_buffer("weight", torch.ones(len(channels), 1, 1))

    def enter(self, maps: Tensor) -> Tensor:
        """Residuals without what the mass field says of them, weighted, see `fit`."""
        return self._added(maps, -1) * self.weight

    def leave(self, maps: Tensor) -> Tensor:
        """Inverse of `enter`."""
        return self._added(maps / self.weight, 1)

    @torch.no_grad()
    def fit(self, residuals: Tensor) -> None:
        """Regress residuals (n, C, H, W) on their mass field.

        Errors of the mass field that a code leaves go into all channels on the way back. So its
        channels are weighted by the root of what an error of theirs, drawn anew in each cell,
        becomes in all channels.
        """
        if not self.has_mass:
            return
        known = self._known(residuals)
        square = torch.einsum("nkhw,njhw->hkj", known, known)
        level = square.diagonal(dim1=1, dim2=2).mean(1)
        square += RIDGE * level[:, None, None] * torch.eye(known.shape[1], device=known.device)
        product = torch.einsum("nkhw,nchw->hkc", known, residuals[:, self.others])
        self.coefficient.copy_(torch.linalg.solve(square, product).permute(2, 1, 0))
        # Value, first and second differences of independent values of variance one.
        made = self.coefficient.square().mean(2).unflatten(1, (5, -1)).sum(0)
        made = (made * made.new_tensor([1, 0.5, 0.5, 6, 6])[:, None]).sum(0)
        self.weight.fill_(1)
        self.weight[self.place, 0, 0] = (1 + made).sqrt()

    def _added(self, maps: Tensor, sign: float) -> Tensor:
        """Residuals, with what their mass field says of the other channels added to these."""
        if not self.has_mass:
            return maps
        said = torch.einsum("bkhw,ckh->bchw", self._known(maps), self.coefficient)
        return maps.index_add(1, self.others, said.to(maps.dtype), alpha=sign)

    def _known(self, maps: Tensor) -> Tensor:
        """(b, 5 L, H, W) values, slopes and curvatures of the L mass channels."""
        mass = maps.index_select(1, self.place)
        west, east = mass.roll(1, -1), mass.roll(-1, -1)
        south = torch.cat([mass[:, :, :1], mass[:, :, :-1]], 2)
        north = torch.cat([mass[:, :, 1:], mass[:, :, -1:]], 2)
        slopes = [(east - west) / 2, (north - south) / 2]
        return torch.cat([mass, *slopes, east - 2 * mass + west, north - 2 * mass + south], 1)
