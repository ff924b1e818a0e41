"""Fewer scales over the same codes: consecutive parts of a size, predicted in one call.

A tokeniser of K scales, some of which are parts of one size, has a coarser reading: the codes of
parts p, ..., p + m - 1 side by side are the code of one scale, and the state goes through the same
additions as before,

    c = (c_p, ..., c_{p+m-1}),   s' = s + sum_j phi_j(up(value_j)).

Data have the same codes under both readings, so a teacher of many calls and a student of few are
models of one law, and their bits compare. What the student gives up is that a part's draws see
those of the part before; a head whose digits know each other (`DepthHead`, across="tokens") can
hold that again.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from refine_core.errors import InputError
from refine_core.pyramid import Pyramid, Size
from refine_core.quantizers.base import Quantized
from refine_core.residual import ResidualTokenizer
from refine_core.schedule import ScaleSchedule

_OF_A_SCALE = re.compile(r"(head\..*?(?:maps|codes|inner|outer|choose)\.)(\d+)(\..*)")
_OF_ALL_SCALES = re.compile(r"head\.(?:place|offset|gain|mean|spread)")


class MergedTokenizer(ResidualTokenizer):
    """A residual tokeniser of which consecutive parts of a size are one scale.

    Args:
        whole: The tokeniser of single parts, in a closed loop. Its modules are shared, not copied.
        calls: Scales of each size: one count for all sizes, or one per size; at most its parts.

    Raises:
        InputError: The counts do not fit the parts, the loop is open, or parts that become one
            have quantisers of their own.
    """

    def __init__(self, whole: ResidualTokenizer, calls: Sequence[int]) -> None:
        if whole.loop != "closed":
            raise InputError("An open loop has whole sizes, which have no parts to be merged.")
        schedule = whole.schedule.merged(calls)
        groups = merged_scales(whole.schedule, schedule)
        for group in groups:
            if any(whole.quantizer(k) is not whole.quantizer(group[0]) for k in group):
                raise InputError(
                    f"Scales {group[0]} to {group[-1]} have quantisers of their own: parts that "
                    "become one scale share a quantiser."
                )
        phi: list[nn.Module] = [
            nn.ModuleList(whole.phi[k] for k in group) if len(group) > 1 else whole.phi[group[0]]
            for group in groups
        ]
        firsts = [group[0] for group in groups]
        super().__init__(
            schedule,
            ChosenScales(whole.pyramid, firsts),
            [whole.quantizer(k) for k in firsts],
            whole.encoder,
            whole.decoder,
            phi=phi,
            loop=whole.loop,
            commitment=whole.commitment,
            truncation=whole.truncation,
            centring=whole.centring,
        )
        self.single = whole.schedule
        self.train(whole.training)

    def unmerged(self) -> ResidualTokenizer:
        """The tokeniser of single parts; modules are shared."""
        assert isinstance(self.pyramid, ChosenScales)
        groups = merged_scales(self.single, self.schedule)
        phi: list[nn.Module] = []
        for k, group in enumerate(groups):
            own = self.phi[k]
            phi += list(own) if len(group) > 1 and isinstance(own, nn.ModuleList) else [own]
        whole = ResidualTokenizer(
            self.single,
            self.pyramid.pyramid,
            [self.quantizer(k) for k, group in enumerate(groups) for _ in group],
            self.encoder,
            self.decoder,
            phi=phi,
            loop=self.loop,
            commitment=self.commitment,
            truncation=self.truncation,
            centring=self.centring,
        )
        return whole.train(self.training)

    def quantize(self, features: Tensor, state: Tensor, k: int) -> Quantized:
        """Codes of the parts, each of what the parts before it left."""
        finest, found = len(self.schedule) - 1, []
        for place, cells in enumerate(self._cells(k)):
            residual = self.pyramid.resample(features - state, finest, k)
            tokens = residual.flatten(2).transpose(1, 2).index_select(1, cells)
            found.append(self.quantizer(k)(tokens))
            state = self._add(state, found[-1].value, k, place)
        return Quantized(
            value=torch.cat([each.value for each in found], 1),
            code=torch.cat([each.code for each in found], 1),
            loss=torch.stack([each.loss for each in found]).mean(),
            clipped=torch.stack([each.clipped for each in found]).mean(),
        )

    def add(self, state: Tensor, value: Tensor, k: int) -> Tensor:
        """State plus phi_j of the values of each part j."""
        widths = [len(cells) for cells in self.schedule[k].pieces]
        for place, part in enumerate(value.split(widths, 1)):
            state = self._add(state, part, k, place)
        return state

    def _add(self, state: Tensor, value: Tensor, k: int, place: int) -> Tensor:
        """State plus phi of the value (b, n, d) of one part."""
        whole = value.new_zeros(len(value), math.prod(self.schedule[k].size), value.shape[2])
        grid = whole.index_copy(1, self._cells(k)[place], value).transpose(1, 2)
        grid = grid.unflatten(2, self.schedule[k].size)
        own = self.phi[k]
        phi = own[place] if self.schedule[k].span > 1 and isinstance(own, nn.ModuleList) else own
        refined: Tensor = state + phi(self.pyramid.resample(grid, k, len(self.schedule) - 1))
        return refined

    def _cells(self, k: int) -> list[Tensor]:
        """Places of the tokens of each part."""
        scale = self.schedule[k]
        if scale.part[1] == 1:
            return [torch.arange(math.prod(scale.size), device=self.get_buffer("nothing").device)]
        return list(self.get_buffer(f"cells_{k}").split([len(piece) for piece in scale.pieces]))


class ChosenScales(nn.Module):
    """A pyramid of some of the scales of another.

    Args:
        pyramid: The other.
        places: Its scales that are kept, coarse to fine.
    """

    def __init__(self, pyramid: Pyramid, places: Sequence[int]) -> None:
        super().__init__()
        self.pyramid, self.places = pyramid, tuple(places)
        self.sizes: tuple[Size, ...] = tuple(pyramid.sizes[place] for place in places)

    def resample(self, x: Tensor, source: int, target: int) -> Tensor:
        """Move between scales that are kept, see `Pyramid`."""
        return self.pyramid.resample(x, self.places[source], self.places[target])


def merged_scales(many: ScaleSchedule, few: ScaleSchedule) -> list[range]:
    """Which consecutive scales of `many` are each scale of `few`.

    >>> many = ScaleSchedule.of([(1, 1), (2, 2)], parts=[1, 4])
    >>> merged_scales(many, many.merged([1, 2]))
    [range(0, 1), range(1, 3), range(3, 5)]

    Raises:
        InputError: A scale of `few` is none of consecutive scales of `many`.
    """
    found, start = [], 0
    for scale in few:
        stop, span = start, 0
        while stop < len(many) and span < scale.span:
            stop, span = stop + 1, span + many[stop].span
        if start == stop or replace(many[start], span=span) != scale:
            raise InputError(f"{few} does not consist of consecutive parts of {many}.")
        found.append(range(start, stop))
        start = stop
    if start != len(many):
        raise InputError(f"{few} lacks the last scales of {many}.")
    return found


def inherited(weights: Mapping[str, Tensor], groups: Sequence[range]) -> dict[str, Tensor]:
    """Weights of a refiner of few scales, from those of one of many.

    A scale's own parameters are those of the first scale that it consists of: the level of its
    modulations and its part of the head. Positions of its tokens are those of all of them.

    Args:
        weights: State dict of a refiner of `build_refiner`.
        groups: See `merged_scales`.
    """
    levels = torch.tensor([0, *(group[0] + 1 for group in groups)])
    places = {group[0]: k for k, group in enumerate(groups)}
    found: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        own = _OF_A_SCALE.fullmatch(name)
        if name.startswith("tokenizer.") or name.startswith("embed.position."):
            continue
        if name.endswith("modulation.level.weight"):
            found[name] = tensor[levels]
        elif _OF_ALL_SCALES.fullmatch(name):
            found[name] = tensor[levels[1:] - 1]
        elif own is None:
            found[name] = tensor
        elif int(own[2]) in places:
            found[f"{own[1]}{places[int(own[2])]}{own[3]}"] = tensor
    if "embed.position.0" in weights:
        for k, group in enumerate(groups):
            found[f"embed.position.{k}"] = torch.cat(
                [weights[f"embed.position.{old}"] for old in group]
            )
    return found
