"""Methods by name: the type of a config's field `methods`, and what builds them.

    generator:
      methods: [self_conditioning, {min_snr: {gamma: 5}}]

A method is found if its module is in this room, or if a package registers its module under the
entry point group `refine.methods`. Its fields are the parameters of its class, with their ranges.
"""

import dataclasses
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Annotated, TypeVar, cast, get_type_hints

from pydantic import BeforeValidator

from refine_core.errors import InputError, suggest

if TYPE_CHECKING:
    from torch import Tensor

    from refine_core.embed import ContextT, StateT
    from refine_core.methods.base import Method
    from refine_core.tokenizer import DataT, FeaturesT

    AnyMethod = Method[Tensor, Tensor, Tensor, Tensor]

M = TypeVar("M", bound=type)
Fields = dict[str, object]
"""Fields of a method by name."""
GROUP = "refine.methods"
_METHODS: dict[str, type] = {}


def method(name: str) -> Callable[[M], M]:
    """Register a class of methods under a name.

    The annotated parameters of its constructor are its fields in a config, and all have defaults.
    """

    def register(cls: M) -> M:
        known = _METHODS.setdefault(name, cls)
        if known.__module__ != cls.__module__:
            raise InputError(
                f"{cls.__module__} and {known.__module__} both register a method {name!r}: "
                "rename one."
            )
        cast("type[AnyMethod]", cls).name = name
        return cls

    return register


@cache
def known_methods() -> "dict[str, type[AnyMethod]]":
    """Classes of all methods by name, those of other packages too."""
    room = import_module("refine_core.methods")
    for module in pkgutil.iter_modules(room.__path__, f"{room.__name__}."):
        import_module(module.name)
    for entry in entry_points(group=GROUP):
        try:
            entry.load()
        except Exception as error:
            raise InputError(
                f"The method {entry.name!r} of {entry.value} cannot be imported "
                f"({type(error).__name__}: {error}): repair or uninstall its package."
            ) from error
    return dict(sorted(_METHODS.items()))


def as_methods(given: object, *, sampling: bool = False) -> dict[str, Fields]:
    """Methods by name, in their order, with all their fields.

    Args:
        given: Names, one-entry mappings from a name to fields, or a mapping from names to fields.
        sampling: Whether only methods that can be given for sampling alone are admitted.

    Raises:
        InputError: A method is not known or named twice, a field is not known or out of its range.
    """
    found: dict[str, Fields] = {}
    for name, fields in _pairs(given):
        if name in found:
            raise InputError(f"found the method {name!r} twice, expected it once")
        cls = _class(name)
        if sampling and not cls.in_sampling:
            raise InputError(
                f"the method {name!r} acts in training: switch it on where the generator is set up"
            )
        found[name] = _checked(name, cls, fields)
    return found


def build_methods(
    methods: Mapping[str, Mapping[str, object]],
) -> "list[Method[DataT, FeaturesT, StateT, ContextT]]":
    """Build what a config's field holds.

    Raises:
        InputError: As `as_methods`.
    """
    made = [_class(name)(**_made(name, _class(name), fields)) for name, fields in methods.items()]
    return cast("list[Method[DataT, FeaturesT, StateT, ContextT]]", made)


def _as_sampling_methods(given: object) -> dict[str, Fields]:
    return as_methods(given, sampling=True)


Methods = Annotated[dict[str, Fields], BeforeValidator(as_methods)]
"""Type of a field that switches methods on."""
SamplingMethods = Annotated[dict[str, Fields], BeforeValidator(_as_sampling_methods)]
"""Type of a field that switches on methods which act in sampling alone."""


def _pairs(given: object) -> list[tuple[str, object]]:
    """Names and fields as they stand in a config."""
    if isinstance(given, str):
        return [(given, None)]
    if isinstance(given, Mapping):
        return [(str(name), fields) for name, fields in given.items()]
    if not isinstance(given, list | tuple):
        raise InputError(f"found {given!r}, expected a list of methods, or their fields by name")
    return [pair for each in given for pair in _pairs(each)]


def _class(name: str) -> "type[AnyMethod]":
    known = known_methods()
    if name not in known:
        raise InputError(
            f"found the method {name!r}, expected one of {', '.join(known)}.{suggest(name, known)}"
        )
    return known[name]


def _checked(name: str, cls: type, fields: object) -> Fields:
    """All fields of a method as JSON values."""
    from refine_core.config.schema import to_dict

    if not isinstance(fields, Mapping | None):
        raise InputError(f"{name}: found {fields!r}, expected a mapping of fields")
    return to_dict(_section(cls)(name, fields or {}))


def _made(name: str, cls: type, fields: Mapping[str, object]) -> Fields:
    """All fields of a method as its constructor takes them."""
    return vars(_section(cls)(name, fields))


@cache
def _section(cls: type) -> Callable[[str, Mapping[str, object]], object]:
    """What makes a config of a method's fields, from the parameters of its constructor."""
    from refine_core.config.schema import config, from_dict

    hints = get_type_hints(inspect.getattr_static(cls, "__init__"), include_extras=True)
    parameters = inspect.signature(cls).parameters.values()
    fields = [(each.name, hints[each.name], each.default) for each in parameters]
    made = cast(type, config(dataclasses.make_dataclass(cls.__name__, fields, frozen=True)))
    return lambda source, data: from_dict(made, data, source)
