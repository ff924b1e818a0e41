"""How a model samples: what its kind admits, and the draw."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from torch import Tensor

from graphs.config import ModelConfig, SamplingConfig
from graphs.data.batch import GraphBatch
from graphs.generators.common.refiner import GraphRefiner
from graphs.generators.contraction.tokenizer import ContractionTokenizer
from graphs.generators.expansion.tokenizer import ExpansionTokenizer
from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.sampling import Sampling

CALLS = 32  # of kinds that leave the number free
_SIZED = {
    "contraction": (
        "a contraction",
        "give parallel one, independent or all",
    ),
    "expansion": ("an expansion", "leave it out"),
}
_ONLY = {"parallel": "contraction", "order": "masked"}


def way(model: ModelConfig, default: SamplingConfig, **given: Any) -> SamplingConfig:
    """How to sample, from a model's default and what is given; None is not given.

    Raises:
        InputError: The model's kind does not admit it.
    """
    given = {name: value for name, value in given.items() if value is not None}
    for name in given:
        if _ONLY.get(name, model.kind) != model.kind:
            raise InputError(
                f"Found {name} {given[name]!r} for a model of kind {model.kind!r}, "
                f"but only the kind {_ONLY[name]!r} has it: leave it out."
            )
    if model.kind in _SIZED and "calls" in given:
        what, instead = _SIZED[model.kind]
        raise InputError(
            f"Found calls {given['calls']}, but the calls of {what} follow from the size "
            f"of its graphs: {instead}."
        )
    return replace(default, **given)


def check(
    *, where: Mapping[str, float] | None = None, guidance: float | None = None, **counts: int
) -> None:
    """Refuse numbers that no draw can follow.

    Raises:
        InputError: A count is below one, or guidance is given and no property.
    """
    for name, count in counts.items():
        if count < 1:
            raise InputError(f"Found {name} {count}, expected 1 or more: give a larger number.")
    if guidance and not where:
        raise InputError(
            f"Found guidance {guidance:g} but no property to guide to: say which value of which "
            "is wanted, as in --where logp=1.5, or leave guidance out."
        )


def contracting(model: ModelConfig, what: str) -> None:
    """Refuse what only contractions do.

    Raises:
        InputError: The model is of another kind.
    """
    if model.kind != "contraction":
        raise InputError(
            f"A model of kind {model.kind!r} cannot {what}: use one of kind 'contraction', such "
            "as the shipped qm9."
        )


def prepare(
    refiner: GraphRefiner, how: SamplingConfig, context: Tensor | None
) -> tuple[Sampling, ...]:
    """Set the tokeniser to a way of sampling; return how its scales are sampled.

    Raises:
        InputError: A number is out of its range.
    """
    tokens = cast(Any, refiner.tokenizer)
    if isinstance(tokens, ContractionTokenizer):
        tokens.parallel = how.parallel
    elif not isinstance(tokens, ExpansionTokenizer):
        tokens.ask(CALLS if how.calls is None else how.calls, how.order)
    guidance = how.guidance if context is not None else 0.0
    return (Sampling(temperature=how.temperature, guidance=guidance),)


def draw(
    refiner: GraphRefiner, noise: Noise, context: Tensor | None, how: SamplingConfig
) -> GraphBatch:
    """Draw graphs.

    Args:
        refiner: Of any kind.
        noise: Names b graphs.
        context: (b, p) properties.
        how: See `way`.

    Raises:
        InputError: A number is out of its range.
    """
    sampling = prepare(refiner, how, context)
    drawn: GraphBatch = refiner.sample(noise, context, sampling=sampling)
    return drawn
