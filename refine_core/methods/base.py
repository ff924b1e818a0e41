"""What a method is: hooks into the training and the sampling of a refiner, which do nothing here.

A published method is a module of this room with one class:

    @method("min_snr")
    class MinSNR(Method[DataT, Tensor, Tensor, ContextT]):
        def __init__(self, gamma: PositiveFloat = 5.0) -> None: ...

A refiner calls the hooks of its methods in their order. Each wraps or changes what the method
before it made, so that methods can be combined.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, cast

import torch
from torch import Tensor, nn

from refine_core.embed import ContextT, StateT
from refine_core.errors import InputError
from refine_core.heads.categorical import BitwiseHead, CategoricalHead
from refine_core.heads.depth import DepthHead
from refine_core.heads.distribution import Distribution
from refine_core.heads.mixture import MixtureHead
from refine_core.noise import Noise
from refine_core.residual import ResidualTokenizer
from refine_core.sampling.caller import Call, Chooser
from refine_core.tokenizer import Corrupt, DataT, FeaturesT, Tokenizer, Trace
from refine_core.tokens import Tokens

if TYPE_CHECKING:
    from refine_core.refiner import Refiner

Encode = Callable[[FeaturesT, Corrupt | None], Trace[StateT]]
"""The forward process of training: map (features, corruption or None) to their trace."""
Unroll = Callable[[StateT, Chooser[FeaturesT, StateT], int | None], Trace[StateT]]
"""The loop of sampling: map (start, what draws codes, count of scales or None) to a trace."""
Find = Callable[[str], nn.Module]
"""Map the name or path of a trained model to its refiner."""
Weight = float | Tensor
"""Weight of the tokens of a scale: one, or a tensor that broadcasts to (b, n)."""


@dataclass(frozen=True)
class TrainingPass(Generic[FeaturesT, StateT, ContextT]):
    """What one pass through a refiner in training has computed.

    Args:
        features: What the tokeniser's encoder made of b samples.
        context: Their context, after dropout; None where there is none.
        noise: Random numbers of the step; see `Method.stream`.
        trace: Codes, which are the targets, and the states before and after each.
        distributions: Distributions of the codes of each scale.
    """

    features: FeaturesT
    context: ContextT | None
    noise: Noise
    trace: Trace[StateT]
    distributions: Sequence[Distribution]


@dataclass(frozen=True)
class SamplingRun(Generic[ContextT]):
    """What is sampled.

    Args:
        context: Context of the samples; None where there is none.
        count: Number b of samples.
        guided: Whether scales may be guided to the context.
        cached: Whether keys and values are kept.
    """

    context: ContextT | None
    count: int
    guided: bool
    cached: bool


class Method(nn.Module, Generic[DataT, FeaturesT, StateT, ContextT]):
    """A method of training or sampling a refiner; every hook can be left out.

    A method may have parameters and buffers, which are trained and saved with the refiner. It does
    not hold the refiner, which every hook is given.

    Attributes:
        name: Its name in a config, see `refine_core.methods.registry.method`.
        in_sampling: Whether the method can be given for sampling alone, where it takes the place
            of the refiner's own of that name.
    """

    name: ClassVar[str] = ""
    in_sampling: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()

    def attach(self, refiner: "Refiner[DataT, FeaturesT, StateT, ContextT]") -> None:
        """Make what depends on the refiner, such as layers; called once, when it is built.

        Raises:
            InputError: The method does not suit the refiner.
        """

    def connect(self, refiner: "Refiner[DataT, FeaturesT, StateT, ContextT]", find: Find) -> None:
        """Get ready for sampling; called for the refiner's own methods and for those given.

        Args:
            refiner: The refiner.
            find: Loads another model that the method names.

        Raises:
            InputError: The method does not suit the refiner, or the other model does not.
        """

    def encode(
        self,
        encode: Encode[FeaturesT, StateT],
        refiner: "Refiner[DataT, FeaturesT, StateT, ContextT]",
        noise: Noise,
    ) -> Encode[FeaturesT, StateT]:
        """Wrap the forward process of training, that which makes codes of features."""
        return encode

    def tokens(self, tokens: Tokens, state: StateT, k: int, note: Tensor | None) -> Tokens:
        """Change the tokens (b, n, d) of scale k.

        Args:
            tokens: The tokens.
            state: State before the scale.
            k: The scale.
            note: What `note` returned for the scale before; None where there was none.
        """
        return tokens

    def note(
        self,
        refiner: "Refiner[DataT, FeaturesT, StateT, ContextT]",
        dist: Distribution,
        state: StateT,
        k: int,
    ) -> Tensor | None:
        """What scale k tells the next one, of b samples, without gradient.

        Where a method has this hook, a likelihood takes one call a scale, as sampling does. In
        training, scales are told what a first pass without notes predicts, in half of the steps,
        and nothing in the other half (Analog Bits, arXiv 2208.04202, section 3.2).
        """
        return None

    def weights(
        self,
        weights: list[Weight],
        refiner: "Refiner[DataT, FeaturesT, StateT, ContextT]",
        done: TrainingPass[FeaturesT, StateT, ContextT],
    ) -> list[Weight]:
        """Change the weights of the tokens' losses, one for each scale."""
        return weights

    def losses(
        self,
        refiner: "Refiner[DataT, FeaturesT, StateT, ContextT]",
        done: TrainingPass[FeaturesT, StateT, ContextT],
    ) -> dict[str, Tensor]:
        """Further losses by name, which are added to "loss" and reported beside it.

        Each is a mean over the samples, or over the tokens, as the loss is.
        """
        return {}

    def call(
        self,
        call: Call[StateT],
        refiner: "Refiner[DataT, FeaturesT, StateT, ContextT]",
        run: SamplingRun[ContextT],
    ) -> Call[StateT]:
        """Wrap what sampling calls for the distribution of one scale after the other."""
        return call

    def unroll(
        self,
        unroll: Unroll[StateT, FeaturesT],
        refiner: "Refiner[DataT, FeaturesT, StateT, ContextT]",
    ) -> Unroll[StateT, FeaturesT]:
        """Wrap the loop over the scales of sampling."""
        return unroll

    def after_step(self) -> None:
        """Learn from the passes since the last step of the optimiser."""

    def stream(self, noise: Noise) -> Noise:
        """The method's own random numbers of a training step, or of a batch of samples."""
        return noise.fork(zlib.crc32(self.name.encode()))

    @property
    def recurrent(self) -> bool:
        """Whether a scale is told what the one before predicted."""
        return type(self).note is not Method.note


def grid_tokenizer(
    name: str, refiner: "Refiner[DataT, FeaturesT, StateT, ContextT]"
) -> ResidualTokenizer:
    """The tokeniser of a refiner over grids.

    Args:
        name: The method, for the message.
        refiner: The refiner.

    Raises:
        InputError: The refiner has another tokeniser.
    """
    if not isinstance(refiner.tokenizer, ResidualTokenizer):
        raise InputError(
            f"The method {name!r} works on grids, found a {type(refiner.tokenizer).__name__}: "
            "leave it out."
        )
    return refiner.tokenizer


def same_codes(
    name: str, refiner: "Refiner[DataT, FeaturesT, StateT, ContextT]", other: nn.Module
) -> "Refiner[DataT, FeaturesT, StateT, ContextT]":
    """Another refiner, over the same codes.

    Args:
        name: The method, for the message.
        refiner: A refiner.
        other: What shall predict the same codes.

    Raises:
        InputError: The other is no refiner, or its tokeniser has other codes.
    """
    mine, theirs = refiner.tokenizer, getattr(other, "tokenizer", None)
    if not (
        isinstance(theirs, Tokenizer)
        and len(mine.schedule) == len(theirs.schedule)
        and (mine.digits(0), mine.digit_values(0)) == (theirs.digits(0), theirs.digit_values(0))
        and _equal(mine.state_dict(), theirs.state_dict())
    ):
        raise InputError(
            f"The method {name!r} combines models of one tokeniser, found one with other codes: "
            "train both over the same tokeniser."
        )
    return cast("Refiner[DataT, FeaturesT, StateT, ContextT]", other)


def _equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key].cpu(), b[key].cpu()) for key in a)


def check_digits(name: str, refiner: "Refiner[DataT, FeaturesT, StateT, ContextT]") -> None:
    """Refuse a head that does not draw digits of codes.

    Raises:
        InputError: It is such a head.
    """
    if not isinstance(refiner.head, CategoricalHead | BitwiseHead | DepthHead | MixtureHead):
        raise InputError(
            f"The method {name!r} needs a head over digits of codes, found a "
            f"{type(refiner.head).__name__}: take an independent, a depth or a mixture head."
        )
