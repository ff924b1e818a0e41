"""The residual tokeniser over a grid pyramid: VAR's closed loop and the paper's open one."""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refine_core.errors import InputError, check_choice
from refine_core.noise import Noise, Stream
from refine_core.pyramid import Pyramid
from refine_core.quantizers.base import Quantized, Quantizer
from refine_core.schedule import ScaleSchedule
from refine_core.tokenizer import Corrupt, Tokenizer, Trace

Loop = Literal["closed", "open"]


class ResidualTokenizer(Tokenizer[Tensor, Tensor, Tensor]):
    """Residual quantisation over a grid pyramid.

    loop='closed' is VAR's (arXiv 2404.02905, algorithm 1): the state lives on the finest grid,
    each scale quantises what is still missing, so later scales repair earlier errors:

        code_k = Q_k(down_k(f - s_k)),   s_{k+1} = s_k + phi_k(up(value_k)).

    loop='open' is the paper's (eq. 12 to 16): scale k quantises the Laplacian band of the features
    themselves, and the state moves up the pyramid:

        code_k = Q_k(L_k),   s_{k+1} = up(s_k) + phi_k(value_k).

    Either way the decoded state equals the sum of the expanded bands phi_k(value_k).

    Args:
        schedule: Sizes equal the pyramid's.
        pyramid: Over the feature grid.
        quantizers: One per scale, coarse to fine; the same object may serve several (a shared
            codebook). The first quantises the base.
        encoder: Data to features (b, d, *finest size).
        decoder: Features to data.
        phi: One map per scale on (b, d, *size), or None for the identity.
        loop: 'closed' or 'open'.
        commitment: Weight of the pull of the features towards every scale's state.
        truncation: Share of training samples decoded from a random number of the coarsest scales,
            so that these say what they can (nested dropout, arXiv 1402.0915); without it, the
            coarsest codebook collapses.
        centring: Weight of the squared mean of a sample's features over its cells. Nothing else
            keeps an offset that all samples share from growing until it hides what they differ in.

    Raises:
        InputError: Counts, sizes, codes or dimensions do not fit together, or the loop is unknown.

    >>> import torch
    >>> import refine_core as rc
    >>> scales = rc.ScaleSchedule.of([(1, 1), (2, 2), (4, 4)])
    >>> quantizers, pyramid = [rc.VQ(16, 8) for _ in scales], rc.area(scales.sizes)
    >>> encoder, decoder = torch.nn.Conv2d(1, 8, 2, 2), torch.nn.ConvTranspose2d(8, 1, 2, 2)
    >>> tokenizer = rc.ResidualTokenizer(scales, pyramid, quantizers, encoder, decoder).eval()
    >>> codes = tokenizer.encode(torch.randn(5, 1, 8, 8))
    >>> [tuple(code.shape) for code in codes], tuple(tokenizer.decode(codes[:2]).shape)
    ([(5, 1, 1), (5, 4, 1), (5, 16, 1)], (5, 1, 8, 8))
    """

    def __init__(
        self,
        schedule: ScaleSchedule,
        pyramid: Pyramid,
        quantizers: Sequence[Quantizer],
        encoder: nn.Module,
        decoder: nn.Module,
        phi: Sequence[nn.Module] | None = None,
        loop: Loop = "closed",
        commitment: float = 0.25,
        truncation: float = 0.0,
        centring: float = 0.0,
    ) -> None:
        super().__init__()
        schedule.check(pyramid.sizes)
        _check(schedule, quantizers, phi, loop)
        self.schedule = schedule
        self.pyramid = pyramid
        self.quantizers = nn.ModuleList(quantizers)
        self.encoder = encoder
        self.decoder = decoder
        self.phi = nn.ModuleList(phi or [nn.Identity()] * len(schedule))
        self.loop = loop
        self.commitment = commitment
        self.truncation = truncation
        self.centring = centring
        self.dim = quantizers[0].dim
        self.register_buffer("nothing", torch.zeros(()), persistent=False)
        for k, scale in enumerate(schedule):
            if scale.part[1] > 1:
                self.register_buffer(f"cells_{k}", torch.tensor(scale.cells), persistent=False)

    def features(self, x: Tensor, noise: Noise | None = None) -> Tensor:
        """Features (b, d, *finest) of data that the encoder takes, such as (b, c, *size)."""
        return self.encoder(x)  # type: ignore[no-any-return]

    def start(self, count: int, noise: Noise | None = None) -> Tensor:
        """Zeros (count, d, *canvas): nothing is known."""
        size = self.schedule[self._canvas(-1)].size
        return self.get_buffer("nothing").new_zeros(count, self.dim, *size)

    def view(self, state: Tensor, k: int) -> Tensor:
        """What scale k sees of the state before it, (b, d, *size) on its own grid: C of eq. 18."""
        return self.pyramid.resample(state, self._canvas(k - 1), k)

    def take(self, grid: Tensor, k: int) -> Tensor:
        """Tokens (b, n_k, d) of scale k, of its grid (b, d, *size)."""
        tokens = grid.flatten(2).transpose(1, 2)
        part = self.schedule[k].part[1] > 1
        return tokens.index_select(1, self.get_buffer(f"cells_{k}")) if part else tokens

    def put(self, tokens: Tensor, k: int) -> Tensor:
        """Inverse of `take`: (b, d, *size), zero at cells that are not the scale's."""
        size = self.schedule[k].size
        if self.schedule[k].part[1] > 1:
            whole = tokens.new_zeros(len(tokens), math.prod(size), tokens.shape[2])
            tokens = whole.index_copy(1, self.get_buffer(f"cells_{k}"), tokens)
        grid: Tensor = tokens.transpose(1, 2).unflatten(2, size)
        return grid

    def quantize(self, features: Tensor, state: Tensor, k: int) -> Quantized:
        """Code at scale k of the residual, see the class."""
        return self.quantizer(k)(self.residual(features, state, k))  # type: ignore[no-any-return]

    def residual(self, features: Tensor, state: Tensor, k: int) -> Tensor:
        """Vectors (b, n_k, d) that scale k quantises, see the class."""
        if self.loop == "closed":
            residual = self.pyramid.resample(features - state, len(self.schedule) - 1, k)
        else:
            residual = self._band(features, k)
        return self.take(residual, k)

    def trace(self, features: Tensor, corrupt: Corrupt | None = None) -> Trace[Tensor]:
        """Unroll the forward process on features (eq. 16).

        What corruption has put into an open loop's state is taken back by the next scale's target,
        which follows from the features alone otherwise.
        """
        if self.loop == "closed" or corrupt is None:
            return super().trace(features, corrupt)
        clean = self.start(len(features))

        def choose(state: Tensor, k: int) -> Quantized:
            nonlocal clean
            band, lost = self._band(features, k), self.view(clean - state, k)
            honest = self.quantizer(k)(self.take(band, k))
            clean = self.add(clean, honest.value, k)
            return self.quantizer(k)(self.take(band + lost, k))  # type: ignore[no-any-return]

        return self.unroll(self.start(len(features)), choose, corrupt)

    def quantizer(self, k: int) -> Quantizer:
        """Quantiser of scale k."""
        chosen = self.quantizers[k]
        assert isinstance(chosen, Quantizer)
        return chosen

    def lookup(self, code: Tensor, k: int) -> Quantized:
        """Value (b, n, d) of codes."""
        return Quantized.known(code, self.quantizer(k).decode(code))

    def digits(self, k: int) -> int:
        """Digits of the scale's quantiser."""
        return self.quantizer(k).digits

    def digit_values(self, k: int) -> int:
        """Values of a digit of the scale's quantiser."""
        return self.quantizer(k).size

    def add(self, state: Tensor, value: Tensor, k: int) -> Tensor:
        """State (b, d, *canvas) plus phi_k of the value (b, n_k, d), on the canvas of scale k."""
        grid = self.pyramid.resample(self.put(value, k), k, self._canvas(k))
        refined: Tensor = self.carry(state, k) + self.phi[k](grid)
        return refined

    def carry(self, state: Tensor, k: int) -> Tensor:
        """The state (b, d, *canvas) before scale k on the canvas after it, with nothing added."""
        return self.pyramid.resample(state, self._canvas(k - 1), self._canvas(k))

    def expand(self, state: Tensor) -> Tensor:
        """A state of any scale on the finest grid, (b, d, *finest)."""
        finest = len(self.schedule) - 1
        if state.shape[2:] == self.schedule[finest].size:
            return state
        size = tuple(state.shape[2:])
        return self.pyramid.resample(state, self.schedule.sizes.index(size), finest)

    def finish(self, state: Tensor) -> Tensor:
        """Data of a state; a coarse state is expanded first."""
        return self.decoder(self.expand(state))  # type: ignore[no-any-return]

    def forward(self, batch: tuple[Tensor, ...], noise: Noise) -> dict[str, Tensor]:
        """Training losses of data `batch[0]`: eq. 1, with its middle terms at every scale."""
        x = batch[0]
        features = self.features(x)
        trace = self.trace(features)
        reconstruction = F.mse_loss(self.finish(self._truncated(trace.states, noise)), x)
        quantisation = torch.stack([choice.loss for choice in trace.chosen]).mean()
        if self.loop == "closed":
            pulls = [
                F.mse_loss(features, trace.states[k + 1].detach()) for k in self.schedule.complete
            ]
            quantisation = quantisation + self.commitment * torch.stack(pulls).mean()
        offset = features.flatten(2).mean(2).square().mean()
        return {
            "loss": reconstruction + quantisation + self.centring * offset,
            "mse": reconstruction,
            "offset": offset,
            **{f"clipped_{k}": choice.clipped for k, choice in enumerate(trace.chosen)},
        }

    def _truncated(self, states: Sequence[Tensor], noise: Noise) -> Tensor:
        """Final state, or for `truncation` of the samples that after a random number of scales."""
        full, finest, coarser = states[-1], len(self.schedule) - 1, self.schedule.complete[:-1]
        uniform = noise.uniform(Stream.CODES).reshape(-1, *[1] * (full.ndim - 1))
        draw = uniform / max(self.truncation, 1e-9) * len(coarser)
        for place, k in enumerate(coarser if self.truncation else []):
            coarse = self.pyramid.resample(states[k + 1], self._canvas(k), finest)
            full = torch.where((draw >= place) & (draw < place + 1), coarse, full)
        return full

    def after_step(self) -> None:
        """Update the codebooks, each once."""
        for quantizer in self.quantizers.children():  # children() names a shared module once
            quantizer.update()  # type: ignore[operator]

    def _band(self, features: Tensor, k: int) -> Tensor:
        """Laplacian band k of features, (b, d, *size): the base for k = 0 (eq. 14)."""
        finest = len(self.schedule) - 1
        level = self.pyramid.resample(features, finest, k)
        if k == 0:
            return level
        coarse = self.pyramid.resample(features, finest, k - 1)
        return level - self.pyramid.resample(coarse, k - 1, k)

    def _canvas(self, k: int) -> int:
        """Scale on whose grid the state lives after scale k."""
        return len(self.schedule) - 1 if self.loop == "closed" else max(k, 0)


def _check(
    schedule: ScaleSchedule,
    quantizers: Sequence[Quantizer],
    phi: Sequence[nn.Module] | None,
    loop: str,
) -> None:
    """Refuse parts that do not fit together."""
    check_choice("The loop", loop, get_args(Loop))
    for name, found in (("quantisers", quantizers), ("maps phi", phi)):
        if found is not None and len(found) != len(schedule):
            raise InputError(
                f"Found {len(found)} {name} for {len(schedule)} scales: give one per scale."
            )
    if len({quantizer.dim for quantizer in quantizers}) > 1:
        raise InputError(
            f"The quantisers take vectors of {[q.dim for q in quantizers]} channels: "
            "all scales share the features, so give all the same dimension."
        )
    for k, (scale, quantizer) in enumerate(zip(schedule, quantizers, strict=True)):
        if scale.codes not in (None, quantizer.size):
            raise InputError(
                f"Scale {k} of the schedule has digits of {scale.codes} values, its quantiser of "
                f"{quantizer.size}: make them equal, or leave `codes` out of the schedule."
            )
    if loop == "open" and len(schedule.complete) < len(schedule):
        raise InputError(
            "An open loop quantises whole bands: give scales in one part each, or close it."
        )
